/** Kaska as a user starts it: `kaska serve` with its defaults, on loopback, in a directory of its own. */
import path from 'node:path'
import process from 'node:process'
import { BrokerProcess, createDirectory, freePorts } from './broker-process.ts'
import { answersMetadata } from './raw-requests.ts'

/** `KASKA_COMPAT_PROGRAM` names another one, such as an older release's. */
const clonesProgram =
  process.env['KASKA_COMPAT_PROGRAM'] ??
  path.resolve(import.meta.dirname, '../../packages/kaska/bin/kaska.js')

/** `serveOptions` are more options of `kaska serve`. */
export async function startKaska(serveOptions: readonly string[] = []): Promise<BrokerProcess> {
  const broker = await prepareKaska(serveOptions)
  await broker.start()
  return broker
}

/** All but the start, for who measures that; `stop` removes its directory. */
export async function prepareKaska(
  serveOptions: readonly string[] = [],
  program: string = clonesProgram,
): Promise<BrokerProcess> {
  const [port = 0] = await freePorts(1)
  const directory = createDirectory('kaska')
  const data = path.join(directory, 'data')
  return new BrokerProcess({
    name: 'Kaska',
    port,
    directory,
    program: process.execPath,
    argv: [program, 'serve', '--port', String(port), '--data', data, ...serveOptions],
    startMsMax: 30_000,
    ready: () => answersMetadata(port),
  })
}

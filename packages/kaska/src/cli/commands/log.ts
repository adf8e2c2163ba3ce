/**
 * `kaska log dump|verify|repair`: the files of a stopped broker. Each takes the directory's lock for as
 * long as it works, so none gets in the way of a broker that runs.
 */
import { DataDirectoryError } from '@kaska/protocol'
import { loadCrc32c } from '../../host/crc32c.ts'
import { nodeClock } from '../../host/node-clock.ts'
import { openNodeDisk } from '../../host/node-disk.ts'
import type { Terminal } from '../../host/terminal.ts'
import {
  type DumpedBatch,
  dumpLogs,
  type InspectOptions,
  type LogDamage,
  repairLogs,
  verifyLogs,
} from '../../log/inspect.ts'
import { CommandError } from '../failure.ts'

const blockBytes = 65_536

export async function dumpLog(
  directory: string,
  filter: string | undefined,
  isJson: boolean,
  terminal: Terminal,
): Promise<void> {
  const { output } = terminal
  for await (const batch of dumpLogs(await inspect(directory, terminal), filter)) {
    output.text(`${isJson ? JSON.stringify(batch) : line(batch)}\n`)
    if (output.pendingBytes >= blockBytes) await output.send()
  }
  await output.send()
}

export async function verifyLog(directory: string, terminal: Terminal): Promise<void> {
  const damages = await verifyLogs(await inspect(directory, terminal))
  for (const damage of damages) terminal.output.text(`${describe(damage)}\n`)
  await terminal.output.send()
  if (damages.length === 0) {
    terminal.say('No damage.')
    return
  }
  const logs = new Set(damages.map((damage) => damage.directory)).size
  throw new CommandError(
    `${logs} ${logs === 1 ? 'log is' : 'logs are'} damaged`,
    `\`kaska log repair ${directory}\` cuts them back, and moves what is cut aside`,
  )
}

export async function repairLog(directory: string, terminal: Terminal): Promise<void> {
  const repairs = await repairLogs(await inspect(directory, terminal))
  for (const repair of repairs) {
    const { bytesCut, movedTo, failure } = repair
    const moved = movedTo.length === 0 ? '' : `, moved to ${movedTo.join(', ')}`
    const done =
      failure === undefined ? `cut off ${bytesCut} bytes${moved}` : `NOT REPAIRED: ${failure}`
    terminal.output.text(`${describe(repair)}: ${done}\n`)
  }
  await terminal.output.send()
  const failed = repairs.filter(({ failure }) => failure !== undefined).length
  if (failed > 0) throw new CommandError(`${failed} of ${repairs.length} could not be repaired`)
  if (repairs.length === 0) terminal.say('No damage: nothing was changed.')
}

/** Looks before it opens: nothing is made where there is no data directory. */
async function inspect(directory: string, terminal: Terminal): Promise<InspectOptions> {
  try {
    await terminal.readText(`${directory}/kaska.json`)
  } catch (cause) {
    throw new DataDirectoryError(`${directory} is no data directory of Kaska`, { cause })
  }
  return { disk: await openNodeDisk(directory), clock: nodeClock, crc32c: loadCrc32c() }
}

function line(batch: DumpedBatch): string {
  const fields = [
    `${batch.path} position ${batch.position}`,
    `offsets ${batch.baseOffset}-${batch.lastOffset}`,
    `records ${batch.recordCount}`,
    `bytes ${batch.bytes}`,
    `crc ${batch.crcIsValid ? 'ok' : 'WRONG'}`,
    `timestamps ${batch.baseTimestamp}-${batch.maxTimestamp}`,
    `epoch ${batch.leaderEpoch}`,
  ]
  if (batch.producerId !== -1) {
    const { producerId, producerEpoch, baseSequence } = batch
    fields.push(`producer ${producerId}/${producerEpoch} sequence ${baseSequence}`)
  }
  if (batch.compression !== 0) fields.push(`compression ${batch.compression}`)
  if (batch.isStampedAtAppend) fields.push('stamped at append')
  if (batch.isTransactional) fields.push('transactional')
  if (batch.isControl) fields.push('control')
  return fields.join(', ')
}

function describe(damage: LogDamage): string {
  const what = damage.kind === 'torn-tail' ? 'torn tail' : 'damage'
  return `${damage.path} position ${damage.position}, offset ${damage.offset}: ${what}: ${damage.reason}`
}

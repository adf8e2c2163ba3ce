/**
 * Tests what is published: packs the packages, installs the tarballs into empty projects, one on the
 * oldest Node that is supported and one on Node 24, and there runs the command, a program, the type
 * checks of the README's example, and a bundle for browsers. Needs the registry, for what the
 * packages depend on. Run by `npm run test:pack`, for it takes longer than the tests.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { after, before, suite, test } from 'node:test'
import { build } from 'esbuild'
import { environmentWithOurNode, exitStatus, packageNames, root, run } from './workspace.ts'

const oldestNode = '22.15.0'
/** For all that is done in one project: installing takes most of it. */
const projectMsMax = 900_000

interface PackedFile {
  readonly path: string
}

interface Packed {
  readonly name: string
  readonly version: string
  readonly filename: string
  readonly files: readonly PackedFile[]
}

const temporary = await mkdtemp(path.join(os.tmpdir(), 'kaska-pack-'))
let packages: Packed[] = []

before(async () => {
  const workspaces = packageNames.map((name) => `--workspace=packages/${name}`)
  const printed = await run('npm', [
    'pack',
    '--json',
    '--silent',
    `--pack-destination=${temporary}`,
    ...workspaces,
  ])
  packages = JSON.parse(printed)
})
after(() => rm(temporary, { recursive: true, force: true }))

test('a package holds what it needs to run, and nothing else', () => {
  assert.equal(packages.length, packageNames.length)
  const broker = packages.at(-1)?.files.map((file) => file.path) ?? []
  assert.ok(broker.includes('native/crc32c-linux-x64.node'), 'the addon for CRCs')
  for (const { name, files } of packages) {
    const paths = files.map((file) => file.path)
    for (const expected of ['package.json', 'README.md', 'LICENSE', 'dist/index.d.ts']) {
      assert.ok(paths.includes(expected), `${name} lacks ${expected}`)
    }
    const odd = paths.filter(
      (file) =>
        !/^(package\.json|README\.md|LICENSE|bin\/kaska\.js|dist\/.*\.(js|d\.ts)|dist\/console\/.*|native\/crc32c.*)$/.test(
          file,
        ) || /\.(test|bench)\b/.test(file),
    )
    assert.deepEqual(odd, [], `${name} holds what nobody needs`)
  }
})

for (const version of [oldestNode, '24']) {
  suite(`installed into an empty project, Node ${version}`, { timeout: projectMsMax }, () => {
    const project = path.join(temporary, `project-${version}`)
    const env = environmentWithOurNode()
    const runHere = (program: string, ...argv: string[]): Promise<string> =>
      run(program, argv, { cwd: project, env })
    const url = (): string => broker?.url ?? assert.fail('the broker runs')
    let broker: RunningBroker | undefined

    before(async () => {
      await mkdir(project)
      await writeFile(
        path.join(project, 'package.json'),
        JSON.stringify({ private: true, type: 'module', allowScripts: { node: true } }),
      )
      const tarballs = packages.map(({ filename }) => path.join(temporary, path.basename(filename)))
      const node = version === oldestNode ? [`node@${oldestNode}`] : []
      await runHere('npm', 'install', '--no-audit', '--no-fund', ...tarballs, ...node)
      if (node.length > 0) {
        env['PATH'] = `${path.join(project, 'node_modules', '.bin')}${path.delimiter}${env['PATH']}`
      }
      const found = await runHere('node', '--version')
      assert.ok(found.startsWith(`v${version}`), `this is Node ${found}`)
      broker = await startBroker(project, env)
    })
    after(async () => {
      broker?.process.kill('SIGTERM')
      assert.equal(await broker?.ended, 0, 'SIGTERM is a clean stop')
    })

    test('npx kaska --version tells the version', async () => {
      const printed = await runHere('npx', 'kaska', '--version')
      assert.match(printed, new RegExp(`\\b${packages[0]?.version.replaceAll('.', '\\.')}\\b`))
    })

    test('the command line sends and reads', async () => {
      await runHere('npx', 'kaska', 'topic', 'create', 'typed', '-b', url())
      await writeFile(path.join(project, 'lines.txt'), 'hello\nworld\n')
      await runHere('sh', '-c', `npx kaska produce typed -b ${url()} <lines.txt`)
      const consume = ['consume', 'typed', '-o', 'start', '-n', '2', '-b', url()]
      assert.equal(await runHere('npx', 'kaska', ...consume), 'hello\nworld\n')
    })

    test('a program sends and reads, over the network and with a broker of its own', async () => {
      await writeFile(path.join(project, 'program.js'), program)
      assert.equal(await runHere('node', 'program.js', url()), 'hello\n'.repeat(3))
    })

    test('the console is served, with its script', async () => {
      const http = url().replace('kaska:', 'http:')
      const page = await (await fetch(http)).text()
      const script = /<script[^>]* src="\/?([^"]+)"/.exec(page)?.[1]
      assert.ok(script, page)
      const answer = await fetch(`${http}/${script}`)
      assert.equal(answer.status, 200)
      assert.ok((await answer.text()).length > 10_000)
    })

    test('the addon for CRCs is taken where there is one; the sums are the same without', async () => {
      const modules = path.join(project, 'node_modules')
      const native = path.join(modules, 'kaska', 'native')
      const addon = `crc32c-${process.platform}-${process.arch}.node`
      const data = path.join(project, 'data')
      const fast = await startBroker(project, env, ['--data', data])
      try {
        if (existsSync(path.join(native, addon)) && process.platform === 'linux') {
          const maps = await readFile(`/proc/${fast.process.pid}/maps`, { encoding: 'utf8' })
          assert.ok(maps.includes(addon), `${addon} is loaded`)
        }
        const lines = Array.from({ length: 1000 }, (_, index) => `message ${index}`.repeat(20))
        await writeFile(path.join(project, 'many.txt'), lines.join('\n'))
        await runHere('npx', 'kaska', 'topic', 'create', 'many', '-b', fast.url)
        await runHere('sh', '-c', `npx kaska produce many -b ${fast.url} <many.txt`)
      } finally {
        fast.process.kill('SIGTERM')
      }
      assert.equal(await fast.ended, 0)
      await rm(native, { recursive: true })
      await rm(path.join(modules, '@node-rs'), { recursive: true, force: true })
      await runHere('npx', 'kaska', 'log', 'verify', data)
    })

    test("the README's example passes tsc --strict", async () => {
      const readme = await readFile(path.join(root, 'README.md'), { encoding: 'utf8' })
      const example = /```ts\n(.*?)```/s.exec(readme)?.[1]
      assert.ok(example, 'README.md has an example')
      await writeFile(path.join(project, 'example.ts'), example)
      await writeFile(path.join(project, 'all.ts'), everyEntry)
      const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
      for (const resolution of ['nodenext', 'preserve']) {
        const how = ['--strict', '--noEmit', '--module', resolution]
        await runHere('node', tsc, ...how, 'example.ts', 'all.ts')
      }
    })

    test('the client bundles for browsers', async () => {
      const bundle = await build({
        stdin: { contents: `export * from '@kaska/client'`, resolveDir: project },
        bundle: true,
        write: false,
        platform: 'browser',
        format: 'esm',
        logLevel: 'silent',
      })
      const text = bundle.outputFiles[0]?.text ?? ''
      assert.match(text, /\bconnect\b/)
      assert.doesNotMatch(text, /['"]node:/)
    })

    test('nothing was left in the project', async () => {
      const entries = await readdir(project)
      assert.ok(!entries.includes('kaska-data'), '--memory writes no files')
    })
  })
}

const program = `
import { connect, TopicExistsError } from '@kaska/client'
import { createBroker } from 'kaska'
import { startBroker } from 'kaska/testing'

async function sayHello(client) {
  await client.createTopic('greetings')
  const error = await client.createTopic('greetings').catch((reason) => reason)
  if (!(error instanceof TopicExistsError)) throw error
  const { offset } = await client.send('greetings', 'hello')
  await client.subscribe(['greetings'])
  client.seek('greetings', offset)
  const message = await client.poll({ timeoutMs: 10_000 })
  console.log(new TextDecoder().decode(message.value))
  await client.close()
}

await sayHello(await connect(process.argv[2]))
const broker = await startBroker()
await sayHello(await connect(broker.url))
await broker.close()
const embedded = await createBroker({ memory: true })
await sayHello(await connect(embedded))
await embedded.close()
`

const everyEntry = `
import * as client from '@kaska/client'
import * as protocol from '@kaska/protocol'
import * as kaska from 'kaska'
import * as testing from 'kaska/testing'
export { client, kaska, protocol, testing }
`

interface RunningBroker {
  readonly url: string
  readonly process: ChildProcess
  /** Its exit code. */
  readonly ended: Promise<number>
}

/** Starts `kaska serve` on a port of its own; resolves when it says where it listens. */
function startBroker(
  cwd: string,
  env: NodeJS.ProcessEnv,
  options: readonly string[] = ['--memory'],
): Promise<RunningBroker> {
  const child = spawn(
    'node',
    [path.join(cwd, 'node_modules', '.bin', 'kaska'), 'serve', '--port', '0', ...options],
    { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const ended = exitStatus(child)
  return new Promise((resolve, reject) => {
    let printed = ''
    const onText = (text: string): void => {
      printed += text
      const url = /kaska:\/\/[^\s,]+:[1-9]\d*/.exec(printed)?.[0]
      if (url !== undefined) resolve({ url, process: child, ended })
    }
    child.stdout.setEncoding('utf8').on('data', onText)
    child.stderr.setEncoding('utf8').on('data', onText)
    ended.then((code) => reject(new Error(`kaska serve ended with ${code}: ${printed}`)), reject)
  })
}

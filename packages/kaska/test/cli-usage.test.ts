/** Help, version, and what happens to a command line that is not understood: exit code 2. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { run } from './cli-process.ts'

const commands = [
  ['serve'],
  ['topic', 'create'],
  ['topic', 'list'],
  ['topic', 'describe'],
  ['topic', 'delete'],
  ['produce'],
  ['consume'],
  ['offset', 'get'],
  ['offset', 'end'],
  ['offset', 'at'],
  ['offset', 'committed'],
  ['offset', 'commit'],
  ['log', 'dump'],
  ['log', 'verify'],
  ['log', 'repair'],
  ['bench'],
]

test('--version prints the version of the package', async () => {
  const url = new URL('../package.json', import.meta.url)
  const { version } = JSON.parse(await readFile(url, 'utf8'))
  for (const flag of ['--version', '-V']) {
    const { code, stdout, stderr } = await run([flag])
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${version}\n`, stderr: '' })
  }
})

test('--help of every command goes to standard output and has examples', {
  concurrency: 2,
}, async () => {
  const { code, stdout, stderr } = await run(['--help'])
  assert.equal(code, 0)
  assert.equal(stderr, '')
  for (const [name = ''] of commands) assert.ok(stdout.includes(`  ${name}`), name)
  for (const command of commands) {
    const help = await run([...command, '--help'])
    assert.equal(help.code, 0, command.join(' '))
    assert.equal(help.stderr, '')
    assert.match(
      help.stdout,
      new RegExp(`^Usage: kaska ${command.join(' ')}[ |]`),
      command.join(' '),
    )
    assert.match(
      help.stdout,
      /\nExamples:\n {2}\S.*kaska|\nExamples:\n {2}kaska/,
      command.join(' '),
    )
  }
})

test('what is not understood is one line on standard error and exit code 2', async () => {
  const lines = [
    ['--prot', '1'],
    ['nonsense'],
    ['serve', '--port', 'x'],
    ['serve', '--port', '65536'],
    ['serve', '--sync', 'never'],
    ['serve', '--topic', ':3'],
    ['serve', '--config', 'novalue'],
    ['serve', '--config', 'no.such=1'],
    ['serve', '--config', 'num.partitions=0'],
    ['serve', '--memory', '--data', 'somewhere'],
    ['serve', '--config-file', '/nonexistent/kaska.json'],
    ['-b', 'host:1'],
    ['topic', 'create'],
    ['topic', 'create', 'a', '-p', '0'],
    ['topic', 'create', 'a', '-c', 'novalue'],
    ['produce'],
    ['produce', 'a', 'b'],
    ['produce', 'a', '-k', 'x', '-K', ':'],
    ['produce', 'a', '-H', 'novalue'],
    ['produce', 'a', '--json', '-k', 'x'],
    ['produce', 'a', '-K', ''],
    ['produce', 'a', '-p', '-1'],
    ['consume'],
    ['consume', 'a', '-o', 'x'],
    ['consume', 'a', '-n', '-1'],
    ['consume', 'a', '-f', '%q'],
    ['consume', 'a', '-f', '%v', '--json'],
    ['consume', 'a', '-f', '%v', '-K', ':'],
    ['consume', 'a', '--as', ''],
    ['consume', 'a', '-b', 'a:b:c'],
    ['offset', 'commit', 'me', 'a', 'x'],
    ['offset', 'at', 'a', 'yesterday'],
    ['offset', 'end'],
    ['log', 'dump'],
    ['bench', '-n', '0'],
  ]
  for (const args of lines) {
    const { code, stdout, stderr } = await run(args)
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`)
    assert.equal(stdout, '', args.join(' '))
    assert.match(stderr, /^kaska: [^\n]+\n$/, args.join(' '))
  }
})

test('an option that is nearly right is named', async () => {
  const { stderr } = await run(['serve', '--prot', '1'])
  assert.match(stderr, /--port/)
  const setting = await run(['serve', '--config', 'num.partition=3'])
  assert.match(setting.stderr, /num\.partitions/)
})

test('a group of commands alone prints its help', async () => {
  for (const group of ['topic', 'offset', 'log']) {
    const { code, stderr } = await run([group])
    assert.equal(code, 2)
    assert.match(stderr, new RegExp(`Usage: kaska ${group}`))
  }
})

test('no broker: an error within 5 s that says what to do', async () => {
  const { code, stdout, stderr } = await run(['topic', 'list', '-b', '127.0.0.1:1'])
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^kaska: [^\n]*127\.0\.0\.1:1[^\n]* [^\n]*npx kaska[^\n]*\n$/)
})

test('a stack is shown with KASKA_DEBUG alone', async () => {
  const args = ['topic', 'list', '-b', '127.0.0.1:1']
  const { stderr } = await run(args, { env: { KASKA_DEBUG: '1' } })
  assert.match(stderr, /^kaska: [^\n]+\n.*\n {4}at /)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from 'commander'
import { UsageError } from './failure.ts'
import { applySettings, parseConfigFile, Setting, settingKeys } from './settings.ts'
import { readBoolean, readPort, readText } from './values.ts'

function parse(args: readonly string[], env: Record<string, string>, config?: object) {
  const root = new Command('root')
  const command = root
    .command('serve')
    .exitOverride()
    .addOption(
      new Setting('--port <port>', 'p', { environment: 'KASKA_PORT', read: readPort }).default(
        9092,
      ),
    )
    .addOption(new Setting('--memory', 'm', { environment: 'KASKA_MEMORY', read: readBoolean }))
    .addOption(
      new Setting('--topic <name>', 't', {
        environment: 'KASKA_TOPIC',
        read: readText,
        isList: true,
      }),
    )
    .action(() => {})
  root.parse(['serve', ...args], { from: 'user' })
  const path = 'the file'
  const file =
    config === undefined
      ? undefined
      : { path, content: parseConfigFile(JSON.stringify(config), path, settingKeys(root)) }
  applySettings(command, env, file)
  return command.opts()
}

test('the command line, then the environment, then the file, then the default', () => {
  const config = { port: 3 }
  assert.equal(parse(['--port', '1'], { KASKA_PORT: '2' }, config)['port'], 1)
  assert.equal(parse([], { KASKA_PORT: '2' }, config)['port'], 2)
  assert.equal(parse([], {}, config)['port'], 3)
  assert.equal(parse([], { KASKA_PORT: '' })['port'], 9092)
})

test('flags are true or false everywhere', () => {
  assert.equal(parse(['--memory'], {})['memory'], true)
  assert.equal(parse([], { KASKA_MEMORY: '1' })['memory'], true)
  assert.equal(parse([], { KASKA_MEMORY: 'false' })['memory'], false)
  assert.equal(parse([], {}, { memory: true })['memory'], true)
  assert.equal(parse([], {})['memory'], undefined)
})

test('lists', () => {
  assert.deepEqual(parse(['--topic', 'a', '--topic', 'b,c'], {})['topic'], ['a', 'b,c'])
  assert.deepEqual(parse([], { KASKA_TOPIC: 'a, b,' })['topic'], ['a', 'b'])
  assert.deepEqual(parse([], {}, { topic: ['a', 'b,c'] })['topic'], ['a', 'b,c'])
  assert.deepEqual(parse([], {}, { topic: 'a' })['topic'], ['a'])
})

test('a mistake names where it was made', () => {
  assert.throws(() => parse([], { KASKA_PORT: 'x' }), /KASKA_PORT is a whole number/)
  assert.throws(() => parse([], {}, { port: 'x' }), /'port' in the file is a whole number/)
  assert.throws(() => parse([], {}, { port: {} }), /'port' in the file/)
  assert.throws(() => parse([], {}, { prot: 1 }), /the file has an unknown key 'prot'/)
  assert.throws(() => parse(['--port', 'x'], {}), /--port is a whole number/)
  assert.throws(() => parse([], {}, []), UsageError)
  assert.throws(() => parseConfigFile('{', 'the file', new Set()), UsageError)
})

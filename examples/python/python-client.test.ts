/** The client that was written from docs/protocol.md alone, against the broker. */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import path from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { connect } from '@kaska/client'
import { startBroker, type TestBroker } from 'kaska/testing'

const program = path.join(import.meta.dirname, 'kaska_client.py')
const skip = hasPython() ? false : 'there is no python3 of 3.8 or newer here'

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import sys; assert sys.version_info >= (3, 8)'])
    return true
  } catch {
    return false
  }
}

async function python(kaska: TestBroker, ...argv: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)(
    'python3',
    ['-B', program, '--broker', `127.0.0.1:${kaska.port}`, ...argv],
    { timeout: 30_000 },
  )
  return stdout === '' ? [] : stdout.trimEnd().split('\n')
}

describe('the Python client', { skip }, () => {
  test('creates, sends, polls, commits', async () => {
    await using kaska = await startBroker()
    assert.deepEqual(await python(kaska, 'create', 'orders', '2'), [])
    assert.deepEqual(await python(kaska, 'send', 'orders', 'hello'), ['0'])
    assert.deepEqual(
      await python(kaska, 'send', 'orders', 'wörld', '--key', 'k', '--header', 'a=1'),
      ['1'],
    )
    assert.deepEqual(await python(kaska, 'send', 'orders', '', '--partition', '1'), ['0'])

    const messages = (await python(kaska, 'poll', 'orders')).map((line) => JSON.parse(line))
    assert.deepEqual(
      messages.map(({ offset, key, value, headers }) => ({ offset, key, value, headers })),
      [
        { offset: 0, key: null, value: 'hello', headers: [] },
        { offset: 1, key: 'k', value: 'wörld', headers: [['a', '1']] },
      ],
    )
    assert.ok(Math.abs(messages[0].timestamp - Date.now()) < 60_000)
    assert.equal((await python(kaska, 'poll', 'orders', '--offset', '1')).length, 1)
    assert.equal((await python(kaska, 'poll', 'orders', '--partition', '1')).length, 1)
    assert.deepEqual(await python(kaska, 'poll', 'orders', '--offset', '2', '--wait', '10'), [])

    assert.deepEqual(await python(kaska, 'committed', 'billing', 'orders'), [])
    await python(kaska, 'commit', 'billing', 'orders', '2')
    assert.deepEqual(await python(kaska, 'committed', 'billing', 'orders'), ['2'])
  })

  test('reads what the other client sent, and is read by it', async () => {
    await using kaska = await startBroker({ topics: [{ name: 'orders' }] })
    await using client = await connect(kaska.url)
    await client.subscribe(['orders'])
    await python(kaska, 'send', 'orders', 'from python', '--key', 'snake')
    const message = await client.poll({ timeoutMs: 10_000 })
    assert.equal(new TextDecoder().decode(message?.value ?? undefined), 'from python')
    assert.equal(new TextDecoder().decode(message?.key ?? undefined), 'snake')

    const values = Array.from({ length: 300 }, (_, index) => `message ${index}`)
    await client.sendBatch('orders', values)
    // From the middle of a batch, which the broker returns as a whole.
    const lines = await python(kaska, 'poll', 'orders', '--offset', '100')
    const polled = lines.map((line) => JSON.parse(line))
    assert.deepEqual(
      polled.map(({ value }) => value),
      values.slice(99),
    )
    assert.equal(polled[0].offset, 100)
  })

  test('waits in the broker for a message to come', async () => {
    await using kaska = await startBroker({ topics: [{ name: 'orders' }] })
    await using client = await connect(kaska.url)
    const waiting = python(kaska, 'poll', 'orders', '--wait', '20000')
    await client.send('orders', 'at last')
    const [line] = await waiting
    assert.equal(JSON.parse(line ?? '{}').value, 'at last')
  })

  test('reports the errors of the table', async () => {
    await using kaska = await startBroker({ topics: [{ name: 'orders' }] })
    const refused = async (code: string, ...argv: string[]): Promise<void> => {
      await assert.rejects(python(kaska, ...argv), new RegExp(`kaska_client: ${code}: `), code)
    }
    await refused('TOPIC_EXISTS', 'create', 'orders')
    await refused('INVALID_TOPIC', 'create', '')
    await refused('UNKNOWN_TOPIC', 'send', 'nothing', 'x')
    await refused('UNKNOWN_PARTITION', 'send', 'orders', 'x', '--partition', '7')
    await refused('OFFSET_OUT_OF_RANGE', 'poll', 'orders', '--offset', '7')
  })
})

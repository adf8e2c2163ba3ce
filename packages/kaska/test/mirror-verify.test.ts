/** `--verify`: both sides by count and checksum, and the first difference. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionError, type Engine, topicNameOf } from '@kaska/protocol'
import { createCodecs } from '../src/host/codecs.ts'
import { loadCrc32c } from '../src/host/crc32c.ts'
import { nodeClock } from '../src/host/node-clock.ts'
import { createTopicFilter } from '../src/mirror/topic-pattern.ts'
import { type PartitionVerdict, type VerifyOptions, verifyTopics } from '../src/mirror/verify.ts'
import { context } from './batches.ts'
import {
  deleteBefore,
  follow,
  mirrorOnce,
  numbered,
  type Side,
  startSide,
  wrapEngine,
} from './mirror-harness.ts'

async function verify(
  from: Side,
  to: Side,
  more: Partial<VerifyOptions> = {},
): Promise<PartitionVerdict[]> {
  const verdicts: PartitionVerdict[] = []
  await verifyTopics(
    {
      source: from.engine,
      target: to.engine,
      clock: nodeClock,
      codecs: createCodecs(),
      crc32c: loadCrc32c(),
      isWanted: createTopicFilter([]),
      signal: new AbortController().signal,
      report: (line) => assert.fail(line),
      ...more,
    },
    (verdict) => verdicts.push(verdict),
  )
  return verdicts.sort((one, other) => one.partition - other.partition)
}

test('what was mirrored is the same; what is not yet there is a difference', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t', { partitions: 3 })
  await from.client.sendBatch('t', numbered(100))
  await from.client.sendBatch('t', numbered(7, 2))
  const before = await verify(from, to)
  assert.match(before[0]?.difference ?? '', /the target has no such partition/)
  await mirrorOnce(from.engine, to.engine)
  const same = await verify(from, to)
  assert.deepEqual(
    same.map(({ difference, source, target }) => [difference, source.messages, target.messages]),
    [
      [undefined, 100, 100],
      [undefined, 0, 0],
      [undefined, 7, 7],
    ],
  )
  for (const { source, target } of same) assert.equal(source.checksum, target.checksum)
  await from.client.send('t', { value: 'more', partition: 2 })
  const behind = await verify(from, to)
  assert.match(behind[2]?.difference ?? '', /the target ends before the source's offset 7/)
  assert.deepEqual([behind[2]?.source.messages, behind[2]?.target.messages], [8, 7])
  assert.equal(behind[0]?.difference, undefined)
})

test('each planted difference is found, and where', async () => {
  await using from = await startSide()
  const message = {
    key: 'k',
    value: 'v',
    headers: { a: '1' },
    timestamp: 5,
  }
  await from.client.createTopic('t')
  await from.client.sendBatch('t', [message, message])
  const plants: [object, RegExp][] = [
    [{ value: 'w' }, /offset 1 and the target's 1: their values differ/],
    [{ value: null }, /values differ/],
    [{ key: null }, /keys differ/],
    [{ timestamp: 6 }, /timestamps differ/],
    [{ headers: { a: '2' } }, /headers differ/],
    [{ headers: {} }, /headers differ/],
    [{ origin: '2' }, /the target's came from 2/],
    [{ origin: 'x' }, /was not mirrored/],
  ]
  for (const [plant, expected] of plants) {
    await using to = await startSide()
    await to.client.createTopic('t')
    const { origin = '1', ...changed } = plant as { origin?: string; headers?: object }
    const copyOf = (each: typeof message, offset: string) => ({
      ...each,
      headers: { ...each.headers, 'kaska-mirror': offset },
    })
    await to.client.send('t', copyOf(message, '0'))
    await to.client.send('t', copyOf({ ...message, ...changed } as typeof message, origin))
    const [verdict] = await verify(from, to)
    assert.match(verdict?.difference ?? '', expected)
    if (!('origin' in plant)) assert.notEqual(verdict?.source.checksum, verdict?.target.checksum)
  }
  await using to = await startSide()
  await mirrorOnce(from.engine, to.engine)
  await to.client.send('t', message)
  const [verdict] = await verify(from, to)
  assert.match(verdict?.difference ?? '', /the target's offset 2 is not at the source/)
})

test('what one side has deleted since is no difference', async () => {
  await using from = await startSide()
  await using to = await startSide()
  const { id } = await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(30))
  await from.client.sendBatch('t', numbered(30, 0, 30))
  await deleteBefore(from.broker, id, 4)
  await mirrorOnce(from.engine, to.engine)
  const [copy] = await to.engine.resolve([topicNameOf('t')], context)
  const counts = async () => {
    const [verdict] = await verify(from, to)
    assert.equal(verdict?.difference, undefined)
    assert.equal(verdict?.source.checksum, verdict?.target.checksum)
    return [verdict?.source.messages, verdict?.target.messages]
  }
  assert.deepEqual(await counts(), [56, 56])
  await deleteBefore(from.broker, id, 10)
  assert.deepEqual(await counts(), [50, 50])
  await deleteBefore(to.broker, copy?.id ?? '', 20)
  assert.deepEqual(await counts(), [36, 36])
  await deleteBefore(to.broker, copy?.id ?? '', 56)
  assert.deepEqual(await counts(), [0, 0])
  // A target whose messages are all deleted is gone on with where it was written down.
  await from.client.send('t', 'next')
  const { status, lines } = await mirrorOnce(from.engine, to.engine)
  assert.deepEqual([status.messages, lines], [1, []])
})

test('while a mirror follows: what it is still bringing is no difference', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t', { partitions: 2 })
  await from.client.sendBatch('t', numbered(50))
  const mirror = follow(from.engine, to.engine)
  await mirror.until(({ messages }) => messages === 50)
  // More comes between the looks at the two sides: what the target has not, at its look.
  const source = wrapEngine(from.engine, {
    offsets: async (topic, partition, asker) => {
      await from.client.sendBatch('t', numbered(30, partition, 50))
      const bounds = await from.engine.offsets(topic, partition, asker)
      // And more, that the mirror brings together with what is waited for.
      await from.client.sendBatch('t', numbered(30, partition, 80))
      return bounds
    },
  })
  const verdicts = await verify(from, to, { source })
  assert.deepEqual(
    verdicts.map(({ difference, source, target }) => [
      difference,
      source.messages,
      target.messages,
    ]),
    [
      [undefined, 80, 80],
      [undefined, 30, 30],
    ],
  )
  await mirror.stop()
})

test('the newest messages alone', async () => {
  await using from = await startSide()
  await using to = await startSide()
  const { id } = await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(30))
  // Offsets that differ on both sides.
  await deleteBefore(from.broker, id, 7)
  await mirrorOnce(from.engine, to.engine)
  const counts = async (since: number) => {
    const [verdict] = await verify(from, to, { since })
    assert.equal(verdict?.source.checksum, verdict?.target.checksum)
    return [verdict?.difference, verdict?.source.messages, verdict?.target.messages]
  }
  assert.deepEqual(await counts(0), [undefined, 23, 23])
  assert.deepEqual(await counts(1_000_020), [undefined, 10, 10])
  assert.deepEqual(await counts(1_000_030), [undefined, 0, 0])
  await to.client.send('t', 'mine')
  const [verdict] = await verify(from, to, { since: 1_000_025 })
  assert.match(verdict?.difference ?? '', /the target's offset 23 is not at the source/)
})

test('a message that is missing where the comparison begins is found, whatever was deleted', async () => {
  await using from = await startSide()
  await using to = await startSide()
  const { id } = await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  const copy = await to.client.createTopic('t')
  for (const [offset, message] of numbered(10).entries()) {
    if (offset === 5) continue
    const headers = { n: String(offset), 'kaska-mirror': String(offset) }
    await to.client.send('t', { ...message, headers })
  }
  await deleteBefore(to.broker, copy.id, 2)
  const differenceOf = async (since?: number) => {
    const [verdict] = await verify(from, to, since === undefined ? {} : { since })
    return verdict?.difference ?? ''
  }
  const expected = /the source's offset 5 and the target's 5: the target's came from 6/
  assert.match(await differenceOf(1_000_005), expected)
  await deleteBefore(from.broker, id, 5)
  assert.match(await differenceOf(), expected)
})

test('a partition that changes its leader is waited for', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  await mirrorOnce(from.engine, to.engine)
  const told: string[] = []
  const moving = (engine: Engine): Engine => {
    let polls = 0
    return wrapEngine(engine, {
      poll: async (request, asker) => {
        if (polls++ > 0) return await engine.poll(request, asker)
        const { topic, partition } = request.parts[0] ?? assert.fail()
        const error = new ConnectionError('there is no leader now')
        return { batches: [], failures: [{ topic, partition, error }], release: () => {} }
      },
    })
  }
  const [verdict] = await verify(from, to, {
    source: moving(from.engine),
    target: moving(to.engine),
    report: (line) => told.push(line),
  })
  assert.deepEqual([verdict?.difference, verdict?.target.messages], [undefined, 10])
  assert.deepEqual(told, Array(2).fill('trying again: there is no leader now'))
})

/** What a mirror does with a target that answers late, forgets, refuses, or loses the connection. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  type Clock,
  ConnectionError,
  type Engine,
  OutOfOrderSequenceError,
  type SendPartResult,
  type SendRequest,
  topicNameOf,
  UnknownProducerError,
} from '@kaska/protocol'
import { createCodecs } from '../src/host/codecs.ts'
import { nodeClock } from '../src/host/node-clock.ts'
import { MirrorPartition } from '../src/mirror/mirror-partition.ts'
import { Placement } from '../src/mirror/placement.ts'
import { noteNames } from '../src/mirror/target-place.ts'
import { batchOf, compressed, context } from './batches.ts'
import {
  contentsOf,
  deleteBefore,
  follow,
  mirrorOnce,
  numbered,
  readPartition,
  startSide,
  wrapEngine,
} from './mirror-harness.ts'

/** Sends that are taken, and neither arrive nor are answered: as those of a process that is killed. */
function swallow(engine: Engine, { arrive = 0 } = {}) {
  const { promise, resolve } = Promise.withResolvers<SendRequest>()
  const all: SendRequest[] = []
  let arrived = 0
  const send: Engine['send'] = (request, asker) => {
    if (arrived++ < arrive) return engine.send(request, asker)
    all.push(request)
    resolve(request)
    return new Promise<never>(() => {})
  }
  return { engine: wrapEngine(engine, { send }), taken: promise, all }
}

for (const hasGrown of [false, true]) {
  for (const isFirst of [true, false]) {
    const what = `${isFirst ? 'the first' : 'a later'} batch, ${hasGrown ? 'of other size' : 'of the same size'}`
    test(`a batch of a killed mirror that arrives behind its successor's start: ${what}`, async () => {
      await using from = await startSide()
      await using to = await startSide()
      await from.client.createTopic('t')
      if (!isFirst) {
        await from.client.sendBatch('t', numbered(10))
        await mirrorOnce(from.engine, to.engine)
      }
      await from.client.sendBatch('t', numbered(20, 0, 10))
      const killed = swallow(to.engine)
      void mirrorOnce(from.engine, killed.engine)
      const late = await killed.taken
      if (hasGrown) await from.client.sendBatch('t', numbered(7, 0, 30))
      let isLate = true
      const send: Engine['send'] = async (request, asker) => {
        if (isLate) await to.engine.send(late, context)
        isLate = false
        return await to.engine.send(request, asker)
      }
      const { status, lines } = await mirrorOnce(from.engine, wrapEngine(to.engine, { send }))
      assert.equal(status.failures, 0, lines.join('\n'))
      const original = await readPartition(from.engine, 't')
      assert.deepEqual(contentsOf(await readPartition(to.engine, 't')), contentsOf(original))
    })
  }
}

test('a late batch of messages that the source has deleted since is not taken for the next one', async () => {
  await using from = await startSide()
  await using to = await startSide()
  const { id } = await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  await mirrorOnce(from.engine, to.engine)
  await from.client.sendBatch('t', numbered(5, 0, 10))
  await from.client.sendBatch('t', numbered(5, 0, 15))
  const killed = swallow(to.engine)
  void mirrorOnce(from.engine, killed.engine)
  const late = await killed.taken
  // The next batch has the same numbers, and is as long.
  await deleteBefore(from.broker, id, 15)
  await from.client.sendBatch('t', numbered(5, 0, 20))
  let isLate = true
  const send: Engine['send'] = async (request, asker) => {
    if (isLate) await to.engine.send(late, context)
    isLate = false
    return await to.engine.send(request, asker)
  }
  const { status } = await mirrorOnce(from.engine, wrapEngine(to.engine, { send }))
  assert.equal(status.failures, 0)
  assert.deepEqual(
    (await readPartition(to.engine, 't')).map(({ origin }) => origin),
    [...Array(25).keys()],
  )
})

test('all batches of a killed mirror arrive late, and the source has deleted messages since', async () => {
  await using from = await startSide()
  await using to = await startSide()
  const { id } = await from.client.createTopic('t')
  // A message takes so much that each goes alone.
  const large = (count: number, start: number) =>
    numbered(count, 0, start).map((one) => ({ ...one, value: `${one.value} `.padEnd(600, '.') }))
  const settings = new Map([['max.message.bytes', '1000']])
  await from.client.sendBatch('t', large(10, 0))
  const killed = swallow(to.engine, { arrive: 1 })
  void mirrorOnce(from.engine, killed.engine, { settings })
  await killed.taken
  // What it sends without an answer, it sends now.
  await new Promise(setImmediate)
  await deleteBefore(from.broker, id, 2)
  let isFirst = true
  const send: Engine['send'] = async (request, asker) => {
    const results = await to.engine.send(request, asker)
    if (isFirst) for (const late of killed.all) await to.engine.send(late, context)
    isFirst = false
    return results
  }
  const { status } = await mirrorOnce(from.engine, wrapEngine(to.engine, { send }))
  assert.equal(status.missed, 1)
  assert.deepEqual(
    (await readPartition(to.engine, 't')).map(({ origin }) => origin),
    [0, 2, 3, 4, 5, 6, 7, 8, 9],
  )
})

test('a target that has forgotten the producer: its numbers begin anew', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t', { partitions: 2 })
  await from.client.sendBatch('t', numbered(10, 0))
  await mirrorOnce(from.engine, to.engine)
  await from.client.sendBatch('t', numbered(10, 0, 10))
  await from.client.sendBatch('t', numbered(10, 1))
  // Whoever has not sent there yet is as good as forgotten.
  const producer = { producerId: 7, producerEpoch: 0 }
  const refused: Error[] = []
  const target = wrapEngine(to.engine, {
    send: async (request, asker) => {
      const results = await to.engine.send({ ...request, producer }, asker)
      refused.push(...results.flatMap(({ error }) => error ?? []))
      return results
    },
  })
  const { status, lines } = await mirrorOnce(from.engine, target)
  assert.deepEqual([status.messages, status.failures, lines], [20, 0, []])
  assert.deepEqual(
    refused.map((error) => error instanceof UnknownProducerError),
    [true],
  )
  await from.client.sendBatch('t', numbered(10, 0, 20))
  assert.deepEqual((await mirrorOnce(from.engine, target)).lines, [])
  assert.equal(refused.length, 1)
  for (const partition of [0, 1]) {
    assert.deepEqual(
      contentsOf(await readPartition(to.engine, 't', partition)),
      contentsOf(await readPartition(from.engine, 't', partition)),
    )
  }
})

test('a mirror that stands still between its look at the target and its first message', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(20))
  let isOther = true
  const other = async (): Promise<void> => {
    if (isOther) assert.deepEqual((await mirrorOnce(from.engine, to.engine)).lines, [])
    isOther = false
  }
  const target = wrapEngine(to.engine, {
    initProducer: async (asker) => {
      await other()
      return await to.engine.initProducer(asker)
    },
    send: async (request, asker) => {
      await other()
      return await to.engine.send(request, asker)
    },
  })
  const { status, lines } = await mirrorOnce(from.engine, target)
  assert.deepEqual([status.failures, lines], [0, []])
  const original = await readPartition(from.engine, 't')
  assert.deepEqual(contentsOf(await readPartition(to.engine, 't')), contentsOf(original))
})

test('a batch that a cluster does not show for half a minute is waited for', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  const faster = 100
  const clock: Clock = {
    ...nodeClock,
    monotonic: () => nodeClock.monotonic() * faster,
    after: (delayMs, run) => nodeClock.after(delayMs / faster, run),
  }
  const started = clock.monotonic()
  const target = wrapEngine(to.engine, {
    send: async (request, asker) => {
      if (clock.monotonic() > started + 30_000) return await to.engine.send(request, asker)
      const error = new OutOfOrderSequenceError('20 is the next one')
      return request.parts.map((): SendPartResult => ({ error }))
    },
  })
  const { status, lines } = await mirrorOnce(from.engine, target, { clock })
  assert.deepEqual([status.messages, lines], [10, []])
})

test('what compressed batches expand to is sent in requests of some size', async () => {
  await using from = await startSide()
  await using to = await startSide()
  const partitions = 12
  const { id } = await from.client.createTopic('t', { partitions })
  const batch = compressed(batchOf([new Uint8Array(900_000)]), 1, gzipSync)
  const parts = Array.from({ length: partitions }, (_, partition) => {
    return { topic: id, partition, baseSequence: -1, batch }
  })
  await from.engine.send({ producer: undefined, parts }, context)
  const sizes: number[] = []
  const target = wrapEngine(to.engine, {
    send: async (request, asker) => {
      sizes.push(request.parts.reduce((sum, part) => sum + part.batch.recordsLength, 0))
      return await to.engine.send(request, asker)
    },
  })
  const { status, lines } = await mirrorOnce(from.engine, target)
  assert.deepEqual([status.messages, lines], [partitions, []])
  assert.ok(Math.max(...sizes) <= 4 << 20, `${sizes}`)
})

test('what the target deletes while it is read is no failure', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  await from.client.commit('g', 't', 3)
  await mirrorOnce(from.engine, to.engine)
  await from.client.sendBatch('t', numbered(10, 0, 10))
  const [copy] = await to.engine.resolve([topicNameOf('t')], context)
  let polls = 0
  const target = wrapEngine(to.engine, {
    poll: async (request, asker) => {
      // The first looks for the last message, the last for the place of the name.
      const end = await to.client.endOffset('t')
      if (polls++ === 0) await deleteBefore(to.broker, copy?.id ?? '', end)
      else if (end > 10) await deleteBefore(to.broker, copy?.id ?? '', end - 1)
      return await to.engine.poll(request, asker)
    },
  })
  const { status, lines } = await mirrorOnce(from.engine, target, { groups: ['g'] })
  assert.deepEqual([status.messages, status.failures, lines], [10, 0, []])
  assert.ok(polls > 1)
})

test('a topic that is gone at the target keeps no name of another one from being carried', async () => {
  await using from = await startSide()
  await using to = await startSide()
  for (const name of ['gone', 't']) {
    await from.client.createTopic(name)
    await from.client.sendBatch(name, numbered(10))
  }
  const groups = ['g']
  const mirror = follow(from.engine, to.engine, { groups, lookAroundMs: 3_600_000 })
  await mirror.until(({ messages }) => messages === 20)
  await to.client.deleteTopic('gone')
  await from.client.commit('g', 't', 4)
  const { status, lines } = await mirror.stop()
  assert.equal(status.failures, 1, lines.join('\n'))
  assert.match(lines.join('\n'), /^gone\/0 is not mirrored any more: the target: /)
  assert.equal(await to.client.committed('g', 't'), 4)
})

test('an answer that is lost repeats nothing; a connection that is lost is waited for', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  let sends = 0
  let polls = 0
  const target = wrapEngine(to.engine, {
    send: async (request, asker) => {
      const answer = await to.engine.send(request, asker)
      if (sends++ % 2 === 0) throw new ConnectionError('the answer is lost')
      return answer
    },
  })
  const source = wrapEngine(from.engine, {
    poll: async (request, asker) => {
      if (polls++ % 3 === 0) throw new ConnectionError('the source is away')
      return await from.engine.poll(request, asker)
    },
  })
  const mirror = follow(source, target)
  await mirror.until(({ behind }) => behind === 0)
  await from.client.sendBatch('t', numbered(10, 0, 10))
  await from.client.sendBatch('t', numbered(10, 0, 20))
  while ((await to.client.endOffset('t')) < 30) await mirror.until(() => true)
  const { lines, status } = await mirror.stop()
  assert.equal(status.failures, 0, lines.join('\n'))
  assert.match(lines.join('\n'), /trying again: the source is away/)
  assert.match(lines.join('\n'), /t\/0: trying again: the answer is lost/)
  const original = await readPartition(from.engine, 't')
  assert.deepEqual(contentsOf(await readPartition(to.engine, 't')), contentsOf(original))
})

test('a message that is too large for the target ends its partition alone, and says so', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t', { partitions: 2 })
  await from.client.sendBatch('t', numbered(5, 0))
  await from.client.send('t', { value: new Uint8Array(5000), partition: 0 })
  await from.client.sendBatch('t', numbered(300, 1))
  const settings = new Map([['max.message.bytes', '2000']])
  const { status, lines } = await mirrorOnce(from.engine, to.engine, { settings })
  assert.equal(status.failures, 1)
  assert.match(
    lines.join('\n'),
    /t\/0 .*the target refuses a message: .*max\.message\.bytes is 2000/,
  )
  assert.equal((await readPartition(to.engine, 't', 0)).length, 5)
  assert.equal((await readPartition(to.engine, 't', 1)).length, 300)
})

test('where partitions stand is written down again before a cluster forgets it', async () => {
  await using to = await startSide()
  const { id } = await to.client.createTopic('t')
  const written: number[] = []
  const target = wrapEngine(to.engine, {
    commit: async (group, entries, asker) => {
      if (group === noteNames.end) written.push(...entries.map(({ offset }) => offset))
      await to.engine.commit(group, entries, asker)
    },
  })
  let now = 0
  const clock = { ...nodeClock, monotonic: () => now }
  const patience = { clock, signal: new AbortController().signal, report: assert.fail }
  const placement = new Placement({
    source: to.engine,
    target,
    codecs: createCodecs(),
    refused: assert.fail,
  })
  const each = new MirrorPartition({ name: 't', source: id, target: id, batchBytesMax: 1 }, 0)
  each.state = 'active'
  for (const [hour, end] of [
    [0, 5],
    [0.5, 5],
    [0.9, 6],
    [1.5, 6],
    [2, 6],
    [2.1, 6],
  ] as const) {
    now = hour * 3_600_000
    each.targetEnd = end
    await placement.note([each], patience)
  }
  assert.deepEqual(written, [5, 6, 6])
})

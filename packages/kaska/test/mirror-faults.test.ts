/** What a mirror does with a target that answers late, forgets, refuses, or loses the connection. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ConnectionError,
  type Engine,
  type SendPartResult,
  type SendRequest,
  UnknownProducerError,
} from '@kaska/protocol'
import { createCodecs } from '../src/host/codecs.ts'
import { nodeClock } from '../src/host/node-clock.ts'
import { MirrorPartition } from '../src/mirror/mirror-partition.ts'
import { Placement } from '../src/mirror/placement.ts'
import { placeGroups } from '../src/mirror/target-place.ts'
import { context } from './batches.ts'
import {
  contentsOf,
  follow,
  mirrorOnce,
  numbered,
  readPartition,
  startSide,
  wrapEngine,
} from './mirror-harness.ts'

/** Sends that are taken, and neither arrive nor are answered: as those of a process that is killed. */
function swallow(engine: Engine): { engine: Engine; taken: Promise<SendRequest> } {
  const { promise, resolve } = Promise.withResolvers<SendRequest>()
  const send = (request: SendRequest) => {
    resolve(request)
    return new Promise<never>(() => {})
  }
  return { engine: wrapEngine(engine, { send }), taken: promise }
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

test('a target that has forgotten the producer: a new one is claimed', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t', { partitions: 2 })
  await from.client.sendBatch('t', numbered(10, 0))
  await mirrorOnce(from.engine, to.engine)
  await from.client.sendBatch('t', numbered(10, 0, 10))
  await from.client.sendBatch('t', numbered(10, 1))
  const forgotten = new Set<number>()
  const send: Engine['send'] = async (request, asker) => {
    const id = request.producer?.producerId ?? -1
    if (forgotten.size === 0 || forgotten.has(id)) {
      forgotten.add(id)
      const error = new UnknownProducerError('who is that?')
      return request.parts.map((): SendPartResult => ({ error }))
    }
    return await to.engine.send(request, asker)
  }
  const { status, lines } = await mirrorOnce(from.engine, wrapEngine(to.engine, { send }))
  assert.deepEqual([status.messages, status.failures, lines], [20, 0, []])
  await from.client.sendBatch('t', numbered(10, 0, 20))
  assert.deepEqual((await mirrorOnce(from.engine, to.engine)).lines, [])
  for (const partition of [0, 1]) {
    assert.deepEqual(
      contentsOf(await readPartition(to.engine, 't', partition)),
      contentsOf(await readPartition(from.engine, 't', partition)),
    )
  }
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

test('a target that has forgotten the claim: the same producer goes on', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  const producers = new Set<number>()
  const target = wrapEngine(to.engine, {
    send: async (request, asker) => {
      producers.add(request.producer?.producerId ?? -1)
      return await to.engine.send(request, asker)
    },
    committed: async () => undefined,
  })
  await mirrorOnce(from.engine, target)
  await from.client.sendBatch('t', numbered(10, 0, 10))
  const { status, lines } = await mirrorOnce(from.engine, target)
  assert.deepEqual([status.messages, lines, producers.size], [10, [], 1])
})

test('where partitions stand is written down again before a cluster forgets it', async () => {
  await using to = await startSide()
  const { id } = await to.client.createTopic('t')
  const written: number[] = []
  const target = wrapEngine(to.engine, {
    commit: async (group, entries, asker) => {
      if (group === placeGroups.target) written.push(...entries.map(({ offset }) => offset))
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

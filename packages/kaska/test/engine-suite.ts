/**
 * The contract of `Engine`, as one suite that runs on every implementation: the local engine, the
 * engine for a client in the same process, a native connection, a cluster.
 */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { ClosedError, type Engine, topicNameOf } from '@kaska/protocol'
import { batchOf, context } from './batches.ts'
import { commitTests } from './engine-suite/commits.ts'
import { offsetTests } from './engine-suite/offsets.ts'
import { pollTests } from './engine-suite/polls.ts'
import { sendTests } from './engine-suite/sends.ts'
import { isA, Store } from './engine-suite/store.ts'
import { topicTests } from './engine-suite/topics.ts'

/** An engine to try, and the end of it. */
export interface EngineUnderTest {
  readonly engine: Engine
  /** Ends what stands behind the engine; the suite closes the engine itself. */
  close(): Promise<void>
}

/** Runs all of it; `create` makes an engine over an empty store. */
export function engineSuite(name: string, create: () => Promise<EngineUnderTest>): void {
  suite(`the engine's contract: ${name}`, () => {
    let underTest: EngineUnderTest
    let store: Store
    before(async () => {
      underTest = await create()
      store = new Store(underTest.engine)
    })
    after(async () => {
      await underTest.engine.close()
      await underTest.close()
    })
    topicTests(() => store)
    sendTests(() => store)
    pollTests(() => store)
    offsetTests(() => store)
    commitTests(() => store)
    closeTests(create)
  })
}

function closeTests(create: () => Promise<EngineUnderTest>): void {
  test('its end ends what waits, and what comes after it, with ClosedError', async () => {
    const { engine, close } = await create()
    const store = new Store(engine)
    const topic = await store.create()
    await store.send(topic, ['a'])
    const part = { topic: topic.id, partition: 0, offset: 1 }
    const waiting = store.poll([part], 60_000)
    waiting.catch(() => {})
    // The poll is under way when this has been answered.
    await engine.topicCount(context)
    await engine.close()
    await assert.rejects(waiting, isA(ClosedError))

    const name = topicNameOf(topic.name)
    const batch = batchOf(['b'])
    const parts = [{ topic: topic.id, partition: 0, baseSequence: -1, batch }]
    const request = { name, partitions: 1, config: new Map<string, string>() }
    for (const call of [
      () => engine.createTopic(request, context),
      () => engine.deleteTopic(name, context),
      () => engine.listTopics(0, context),
      () => engine.topicCount(context),
      () => engine.resolve([name], context),
      () => engine.describeTopic(name, context),
      () => engine.initProducer(context),
      () => engine.send({ producer: undefined, parts }, context),
      () => store.poll([part]),
      () => engine.messageSize(topic.id, 0, 0, context),
      () => engine.offsets(topic.id, 0, context),
      () => engine.offsetAt(topic.id, 0, 0, context),
      () => engine.commit('g', [{ topic: topic.id, partition: 0, offset: 0 }], context),
      () => engine.committed('g', topic.id, 0, context),
    ]) {
      await assert.rejects(call, isA(ClosedError))
    }
    await engine.close()
    await close()
  })
}

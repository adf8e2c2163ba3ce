/**
 * A mirror that is killed at each of its calls, before the call takes effect, after it, and so that it takes effect
 * when its successor is at work: all is there once, in order, and no name stands behind messages that are not there.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Engine, topicNameOf } from '@kaska/protocol'
import { context } from './batches.ts'
import {
  contentsOf,
  deleteBefore,
  mirrorOnce,
  numbered,
  readPartition,
  type Side,
  startSide,
  wrapEngine,
} from './mirror-harness.ts'

type End = 'before' | 'after' | 'late'

/** A process that is killed at one of its calls. */
class Mortal {
  readonly #at: number
  readonly #end: End
  #calls = 0
  #late: (() => Promise<unknown>) | undefined
  readonly #killed = Promise.withResolvers<void>()

  constructor(at: number, end: End) {
    this.#at = at
    this.#end = end
  }

  /** Resolves when it is dead. */
  get killed(): Promise<void> {
    return this.#killed.promise
  }

  /** What the last call was to do. */
  async arrive(): Promise<void> {
    const late = this.#late
    this.#late = undefined
    await late?.().catch(() => {})
  }

  engine(engine: Engine): Engine {
    return new Proxy(engine, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => this.#call(() => value.apply(target, args))
      },
    })
  }

  async #call(call: () => Promise<unknown>): Promise<unknown> {
    const number = ++this.#calls
    if (number < this.#at) return await call()
    if (number === this.#at) {
      if (this.#end === 'after') await call()
      if (this.#end === 'late') this.#late = call
      this.#killed.resolve()
    }
    return await new Promise<never>(() => {})
  }
}

async function idOf(side: Side): Promise<string> {
  const [info] = await side.engine.resolve([topicNameOf('t')], context)
  return info?.id ?? assert.fail('no topic')
}

interface Start {
  readonly isFirst: boolean
  /** Has the target deleted all that was mirrored? */
  readonly isEmptied: boolean
}

/** Kills a mirror at a call; false: it has fewer. */
async function killAt(at: number, end: End, { isFirst, isEmptied }: Start): Promise<boolean> {
  const groups = ['g']
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t', { partitions: 2 })
  if (!isFirst) {
    for (const partition of [0, 1]) await from.client.sendBatch('t', numbered(5, partition))
    await mirrorOnce(from.engine, to.engine)
    const id = await idOf(to)
    for (const partition of [0, 1]) if (isEmptied) await deleteBefore(to.broker, id, 5, partition)
  }
  for (const partition of [0, 1]) {
    await from.client.sendBatch('t', numbered(5, partition, 5))
    await from.client.commit('g', 't', 4, partition)
  }
  const mortal = new Mortal(at, end)
  const run = mirrorOnce(mortal.engine(from.engine), mortal.engine(to.engine), { groups })
  const what = `killed ${end} call ${at}`
  if (await Promise.race([run.then(() => true), mortal.killed])) return false
  await from.client.sendBatch('t', numbered(3, 1, 20))
  let sends = 0
  const target = wrapEngine(to.engine, {
    send: async (request, asker) => {
      // Before its successor's first or behind it.
      if (sends++ === at % 2) await mortal.arrive()
      return await to.engine.send(request, asker)
    },
  })
  const { status, lines } = await mirrorOnce(from.engine, target, { groups })
  await mortal.arrive()
  assert.deepEqual([status.failures, lines], [0, []], what)
  for (const partition of [0, 1]) {
    const all = await readPartition(from.engine, 't', partition)
    const original = isEmptied && !isFirst ? all.slice(5) : all
    const copy = await readPartition(to.engine, 't', partition)
    assert.deepEqual(contentsOf(copy), contentsOf(original), what)
    assert.deepEqual(
      copy.map(({ origin }) => origin),
      original.map(({ offset }) => offset),
    )
    const place = await to.client.committed('g', 't', partition)
    assert.equal(place, Math.max(4, copy[0]?.offset ?? 0), what)
  }
  return true
}

for (const [name, start] of [
  ['a new topic', { isFirst: true, isEmptied: false }],
  ['a topic that is there', { isFirst: false, isEmptied: false }],
  ['a topic whose messages the target has deleted', { isFirst: false, isEmptied: true }],
] as const) {
  test(`killed at each call: ${name}`, async () => {
    for (const end of ['before', 'after', 'late'] as const) {
      let at = 1
      while (await killAt(at, end, start)) at++
      assert.ok(at > 10)
    }
  })
}

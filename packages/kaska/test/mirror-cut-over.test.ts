/** A cut-over: it ends well only where nobody uses either side, and all names stand where they stood. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Engine } from '@kaska/protocol'
import {
  follow,
  type MirrorRun,
  mirrorOnce,
  numbered,
  type Side,
  startSide,
  wrapEngine,
} from './mirror-harness.ts'

const groups = ['billing']

function cutOver(from: Side, to: Side, source: Engine = from.engine): Promise<MirrorRun> {
  return mirrorOnce(source, to.engine, { mode: 'cut-over', groups })
}

/** The source, with something that is done to it once the messages were copied. */
function whileQuiet(from: Side, run: () => Promise<unknown>): Engine {
  let lists = 0
  return wrapEngine(from.engine, {
    listTopics: async (cursor, context) => {
      // The second time is that before the end.
      if (lists++ === 1) await run()
      return await from.engine.listTopics(cursor, context)
    },
  })
}

async function startSides(): Promise<[Side, Side]> {
  const sides: [Side, Side] = [await startSide(), await startSide()]
  const [from] = sides
  await from.client.createTopic('t', { partitions: 2 })
  await from.client.sendBatch('t', numbered(10))
  await from.client.sendBatch('t', numbered(10, 1))
  await from.client.commit('billing', 't', 7)
  await from.client.commit('billing', 't', 10, 1)
  return sides
}

test('what is left is copied, and each name says what it has still to read', async () => {
  const [from, to] = await startSides()
  await using _ = from
  await using __ = to
  const first = await mirrorOnce(from.engine, to.engine)
  assert.equal(first.status.messages, 20)
  await from.client.sendBatch('t', numbered(5, 0, 10))
  const { status, lines } = await cutOver(from, to)
  assert.deepEqual([status.messages, status.behind, status.failures], [5, 0, 0])
  assert.deepEqual(lines, ['billing goes on at the target with 8 messages to come'])
  assert.equal(await to.client.committed('billing', 't', 0), 7)
  assert.equal(await to.client.committed('billing', 't', 1), 10)
})

test('somebody who still writes to the source, commits there, or makes topics is told of', async () => {
  const [from, to] = await startSides()
  await using _ = from
  await using __ = to
  const written = await cutOver(
    from,
    to,
    whileQuiet(from, () => from.client.sendBatch('t', numbered(3, 1, 10))),
  )
  assert.equal(written.status.failures, 1)
  assert.match(written.lines[0] ?? '', /t\/1: somebody still writes to the source: it grew by 3/)
  const committed = await cutOver(
    from,
    to,
    whileQuiet(from, () => from.client.commit('billing', 't', 8)),
  )
  assert.equal(committed.status.failures, 1)
  assert.match(committed.lines[0] ?? '', /t\/0: billing still commits at the source/)
  const made = await cutOver(
    from,
    to,
    whileQuiet(from, () => from.client.createTopic('late')),
  )
  assert.equal(made.status.failures, 1)
  assert.match(made.lines[0] ?? '', /^late was made or changed at the source a moment ago/)
  const { status, lines } = await cutOver(from, to)
  assert.equal(status.failures, 0, lines.join('\n'))
})

test('somebody who writes to the target meanwhile is told of', async () => {
  const [from, to] = await startSides()
  await using _ = from
  await using __ = to
  const { status, lines } = await cutOver(
    from,
    to,
    whileQuiet(from, () => to.client.send('t', { value: 'mine', partition: 1 })),
  )
  assert.equal(status.failures, 1)
  assert.match(lines.join('\n'), /t\/1 .*somebody else writes to the target: it ends at 11/)
})

test('a name that nobody has, and one that stands elsewhere at the target', async () => {
  const [from, to] = await startSides()
  await using _ = from
  await using __ = to
  const mode = 'cut-over'
  const wrong = await mirrorOnce(from.engine, to.engine, { mode, groups: ['biling'] })
  assert.equal(wrong.status.failures, 1)
  assert.match(wrong.lines[0] ?? '', /^biling has committed nothing at the source/)
  await to.client.commit('billing', 't', 9)
  const ahead = await cutOver(from, to)
  assert.equal(ahead.status.failures, 1)
  assert.match(
    ahead.lines[0] ?? '',
    /t\/0: billing stands at 9 at the target, .* is 7 there; .* commit billing t 7 -p 0,/,
  )
  assert.equal(await to.client.committed('billing', 't'), 9)
  await to.client.commit('billing', 't', 7)
  assert.equal((await cutOver(from, to)).status.failures, 0)
})

test('a name that goes back at the source goes back at the target, if nobody else moved it', async () => {
  const [from, to] = await startSides()
  await using _ = from
  await using __ = to
  const mirror = follow(from.engine, to.engine, { groups })
  await mirror.until(({ behind }) => behind === 0)
  const stands = async (offset: number) => {
    while ((await to.client.committed('billing', 't')) !== offset) await mirror.until(() => true)
  }
  await stands(7)
  await from.client.commit('billing', 't', 2)
  await stands(2)
  await from.client.commit('billing', 't', 5)
  await stands(5)
  await to.client.commit('billing', 't', 6)
  await from.client.commit('billing', 't', 1)
  await from.client.commit('billing', 't', 3, 1)
  while ((await to.client.committed('billing', 't', 1)) !== 3) await mirror.until(() => true)
  await mirror.stop()
  assert.equal(await to.client.committed('billing', 't'), 6)
})

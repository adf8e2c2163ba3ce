/**
 * 500 clients that each send half of a 64 MiB frame, and 500 that never read the megabytes that they
 * asked for: the broker stays within its byte budget, and a well-behaved client within twice its
 * latency, both measured in the same run.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBrokerProcess } from './broker-process.ts'
import { startHostileClients } from './hostile-clients.ts'
import { dial, type RawClient } from './raw-client.ts'

const mebibyte = 1024 * 1024
const memoryBytesMax = 256 * mebibyte
const small = new Uint8Array(100)
/** Of a size that has no memory kept for it, as small requests have. */
const medium = new Uint8Array(100_000)
const mediumRounds = 200
const hostile = { halves: 500, deaf: 500, topic: 'much' }

/** The times of sends, each with a poll of what was sent, until `isOver`; in milliseconds. */
async function measure(
  client: RawClient,
  ref: number,
  isOver: (rounds: number) => boolean,
  value = small,
) {
  const times: number[] = []
  while (!isOver(times.length)) {
    const start = performance.now()
    const offset = await client.send(ref, [value])
    await client.poll(ref, offset)
    times.push(performance.now() - start)
  }
  return times
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1] as number
}

test('a thousand hostile clients cost no memory beyond the budget, and the others no time', async (context) => {
  await using broker = await startBrokerProcess({ memoryBytesMax })
  const good = await dial(broker.port)
  const ref = await good.createTopic('good')
  const much = await good.createTopic(hostile.topic)
  for (let count = 0; count < 32; count++) await good.send(much, [new Uint8Array(mebibyte)])
  await measure(good, ref, (rounds) => rounds === 1000)
  const alone = median(await measure(good, ref, (rounds) => rounds === 2000))
  const isMediumOver = (rounds: number) => rounds === mediumRounds
  const mediumAlone = median(await measure(good, ref, isMediumOver, medium))
  const before = await broker.status()

  await using clients = startHostileClients(broker.port, hostile)
  let isReady = false
  void clients.ready.then(() => {
    isReady = true
  })
  const arriving = await measure(good, ref, () => isReady)
  const together = await measure(good, ref, (rounds) => rounds === 2000)
  const mediumTogether = median(await measure(good, ref, isMediumOver, medium))
  const after = await broker.status()
  good.destroy()

  const show = (bytes: number) => `${(bytes / mebibyte).toFixed(0)} MiB`
  context.diagnostic(
    `a send and a poll: ${alone.toFixed(3)} ms alone, ${median(arriving).toFixed(3)} ms while` +
      ` they come, ${median(together).toFixed(3)} ms beside them`,
  )
  context.diagnostic(
    `of 100 kB: ${mediumAlone.toFixed(3)} ms alone, ${mediumTogether.toFixed(3)} ms beside them`,
  )
  context.diagnostic(
    `byte budget: ${show(after.budgetUsedMost)} at most of ${show(after.budgetTotal)}; in memory` +
      ` ${show(before.residentMost)} before, ${show(after.residentMost)} at most`,
  )
  context.diagnostic(JSON.stringify(after.counters))
  context.diagnostic(JSON.stringify(after.memory))
  assert(after.counters.connectionsAccepted > 1000)
  assert(median(together) <= 2 * alone, 'its latency')
  assert(mediumTogether <= 2 * mediumAlone, 'the latency of what is not small')
  assert(after.budgetUsedMost <= after.budgetTotal, 'the budget')
  // Each connection has, beside the budget, a session and what its socket read before it was paused.
  // What was stored since lies in memory too: so is this broker's disk.
  const stored = mediumRounds * medium.length
  const beside = 200_000 * (hostile.halves + hostile.deaf) + stored
  assert(after.residentMost <= before.residentMost + memoryBytesMax + beside, 'the memory')
})

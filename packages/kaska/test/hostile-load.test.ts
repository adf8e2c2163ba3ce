/**
 * 500 clients that each send half of a 64 MiB frame, and 500 that never read the megabytes that they
 * asked for: the broker stays within its byte budget, and a well-behaved client within twice the latency
 * that another one has, which it is measured in turns with: that of a broker without them.
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
const ratioMax = 2
/** The hostile ones are there to the end of the test. */
const limits = { stallMs: 300_000 }
const hostile = { halves: 500, deaf: 500, topic: 'much' }

interface Good {
  readonly client: RawClient
  readonly ref: number
}

async function dialGood(port: number): Promise<Good> {
  const client = await dial(port)
  return { client, ref: await client.createTopic('good') }
}

/** The time of a send and a poll of what was sent, in milliseconds. */
async function roundTrip({ client, ref }: Good, value = small): Promise<number> {
  const start = performance.now()
  const offset = await client.send(ref, [value])
  await client.poll(ref, offset)
  return performance.now() - start
}

/**
 * How many times as long one takes as the other. Whatever else the machine does is as likely to meet either of
 * them; what happens to meet one decides nothing, as the median of the ratios in many short stretches is taken.
 */
async function compare(one: Good, other: Good, rounds: number, value = small) {
  const stretchRounds = 20
  const stretches: { ms: number; otherMs: number }[] = []
  for (let round = 0; round < rounds; round += stretchRounds) {
    let [ms, otherMs] = [0, 0]
    for (let count = 0; count < stretchRounds; count++) {
      ms += await roundTrip(one, value)
      otherMs += await roundTrip(other, value)
    }
    stretches.push({ ms: ms / stretchRounds, otherMs: otherMs / stretchRounds })
  }
  return {
    ratio: median(stretches.map(({ ms, otherMs }) => ms / otherMs)),
    ms: median(stretches.map(({ ms }) => ms)),
    otherMs: median(stretches.map(({ otherMs }) => otherMs)),
  }
}

type Comparison = Awaited<ReturnType<typeof compare>>

/** Compares again where one takes too long: what the broker is to blame for is so each time. */
async function compareUntilClose(compareOnce: () => Promise<Comparison>): Promise<Comparison> {
  let comparison = await compareOnce()
  for (let again = 0; again < 5 && comparison.ratio > ratioMax; again++) {
    comparison = await compareOnce()
  }
  return comparison
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number
}

test('a thousand hostile clients cost no memory beyond the budget, and the others no time', async (context) => {
  await using broker = await startBrokerProcess({ memoryBytesMax, limits })
  await using quiet = await startBrokerProcess({ memoryBytesMax })
  const [good, other] = [await dialGood(broker.port), await dialGood(quiet.port)]
  const much = await good.client.createTopic(hostile.topic)
  for (let count = 0; count < 32; count++) await good.client.send(much, [new Uint8Array(mebibyte)])
  // Code is compiled meanwhile, on both sides.
  const alone = await compare(good, other, 2000)
  await compare(good, other, mediumRounds, medium)
  const before = await broker.status()

  await using clients = startHostileClients(broker.port, hostile)
  let isReady = false
  void clients.ready.then(() => {
    isReady = true
  })
  const arriving: number[] = []
  while (!isReady) arriving.push(await roundTrip(good))
  const together = await compareUntilClose(() => compare(good, other, 2000))
  let stored = 0
  const mediumTogether = await compareUntilClose(() => {
    stored += mediumRounds * medium.length
    return compare(good, other, mediumRounds, medium)
  })
  const after = await broker.status()
  good.client.destroy()
  other.client.destroy()

  const show = (bytes: number) => `${(bytes / mebibyte).toFixed(0)} MiB`
  const times = ({ ms, otherMs, ratio }: Comparison) =>
    `${ms.toFixed(3)} ms beside them, ${otherMs.toFixed(3)} ms without, ratio ${ratio.toFixed(2)}`
  context.diagnostic(
    `a send and a poll: ${times(together)}; ${median(arriving).toFixed(3)} ms while they come,` +
      ` ratio ${alone.ratio.toFixed(2)} before`,
  )
  context.diagnostic(`of 100 kB: ${times(mediumTogether)}`)
  context.diagnostic(
    `byte budget: ${show(after.budgetUsedMost)} at most of ${show(after.budgetTotal)}; in memory` +
      ` ${show(before.residentMost)} before, ${show(after.residentMost)} at most`,
  )
  context.diagnostic(JSON.stringify(after.counters))
  context.diagnostic(JSON.stringify(after.memory))
  assert(after.counters.connectionsAccepted > 1000)
  assert(together.ratio <= ratioMax, `its latency: ${times(together)}`)
  assert(
    mediumTogether.ratio <= ratioMax,
    `the latency of what is not small: ${times(mediumTogether)}`,
  )
  assert(after.budgetUsedMost <= after.budgetTotal, 'the budget')
  // Each connection has, beside the budget, a session and what its socket read before it was paused.
  // What was stored since lies in memory too: so is this broker's disk.
  const beside = 200_000 * (hostile.halves + hostile.deaf) + stored
  assert(after.residentMost <= before.residentMost + memoryBytesMax + beside, 'the memory')
})

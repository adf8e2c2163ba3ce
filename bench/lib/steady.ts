/**
 * Loads that go on until they are stopped, for what a broker carries all the time: senders and readers in pairs,
 * each of them on a topic of its own, and single messages at a given rate.
 */
import type { Socket } from 'node:net'
import { eventLoopUtilization } from 'node:perf_hooks'
import { setTimeout as pass, setImmediate as turn } from 'node:timers/promises'
import { joinChunks, type MessageBatch, native } from '@kaska/protocol'
import { busyShare, type Gauges, readGauges, syncsAtOnce } from './gauges.ts'
import { batchOf, openSocket, RawConnection, writeChunks } from './raw-connection.ts'
import type { Target } from './target.ts'

export interface PairOptions {
  readonly messageBytes: number
  readonly batchMessages: number
  /** Batches under way at once. */
  readonly window: number
  /** Readers of the topic, each of all messages; the sender does not run further ahead of the slowest than this. */
  readonly readers: number
  readonly aheadBytesMax: number
}

/** Kept so small that what is written stays within the page cache, and deleted while the load goes on. */
export const retentionConfig = new Map([
  ['segment.bytes', String(64 * 2 ** 20)],
  ['retention.bytes', String(256 * 2 ** 20)],
])

/** What `startKaska` needs for these topics. */
export const retentionOptions = ['--config', 'log.retention.check.interval.ms=1000']

/** One sender and its readers. Counts what was acknowledged, and what was read. */
export class Pair {
  sent = 0
  received = 0
  readonly failed: Promise<never>
  readonly #options: PairOptions
  readonly #batch: MessageBatch
  readonly #sender: RawConnection
  readonly #readers: RawConnection[]
  readonly #ref: number
  readonly #positions: number[]
  #underWay = 0
  #sequence = 0
  #isStopped = false

  private constructor(
    options: PairOptions,
    sender: RawConnection,
    readers: RawConnection[],
    ref: number,
  ) {
    this.#options = options
    this.#batch = batchOf(options.batchMessages, options.messageBytes)
    this.#sender = sender
    this.#readers = readers
    this.#ref = ref
    this.#positions = readers.map(() => 0)
    this.failed = Promise.race([sender, ...readers].map(({ broken }) => broken))
    this.failed.catch(() => {})
  }

  static async start(kaska: Target, topic: string, options: PairOptions): Promise<Pair> {
    const sender = await RawConnection.open(kaska.port)
    const ref = await sender.createTopic(topic, 1, retentionConfig)
    await sender.initProducer()
    const count = { length: options.readers }
    const readers = await Promise.all(Array.from(count, () => RawConnection.open(kaska.port)))
    const refs = await Promise.all(readers.map((reader) => reader.resolve(topic)))
    const pair = new Pair(options, sender, readers, ref)
    for (const [index, reader] of readers.entries()) pair.#poll(reader, refs[index] ?? 0, index)
    pair.#send()
    return pair
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const each of [this.#sender, ...this.#readers]) await each[Symbol.asyncDispose]()
  }

  #send(): void {
    const { window, batchMessages, messageBytes, aheadBytesMax } = this.#options
    const slowest = Math.min(...this.#positions, Number.POSITIVE_INFINITY)
    while (!this.#isStopped && this.#underWay < window) {
      if ((this.#sequence - slowest) * messageBytes > aheadBytesMax) return
      const baseSequence = this.#sequence % 2 ** 31
      const part = { ref: this.#ref, partition: 0, baseSequence, batch: this.#batch }
      this.#sequence += batchMessages
      this.#underWay++
      this.#sender.begin(
        native.operation.send,
        (writer) => native.writeSendRequest(writer, [part]),
        (_answer, status) => {
          if (status !== native.statusOk) throw new Error('a batch was refused')
          this.#underWay--
          this.sent += batchMessages
          this.#send()
        },
      )
    }
  }

  #poll(reader: RawConnection, ref: number, index: number): void {
    const parts = [{ ref, partition: 0, offset: this.#positions[index] ?? 0 }]
    reader.begin(
      native.operation.poll,
      (writer) => native.writePollRequest(writer, { waitMs: 1000, bytesMax: 1 << 20, parts }),
      (answer) => {
        const { batches, failures } = native.readPollResponse(answer)
        if (failures[0] !== undefined) throw failures[0].error
        for (const batch of batches) {
          this.received += batch.recordCount
          this.#positions[index] = batch.baseOffset + batch.lastOffsetDelta + 1
        }
        if (this.#isStopped) return
        this.#poll(reader, ref, index)
        this.#send()
      },
    )
  }
}

/** What a while of a load took. */
export interface Stretch {
  readonly seconds: number
  readonly sent: number
  readonly received: number
  readonly cpuSeconds: number
  /** Of the broker's event loop, and of this process's, which makes the load. */
  readonly busy: number
  readonly driverBusy: number
  /** Syncs that were under way at once, on average. */
  readonly syncs: number
  readonly before: Gauges
  readonly after: Gauges
}

export async function stretch(
  kaska: Target,
  pairs: readonly Pair[],
  warmUpSeconds: number,
  seconds: number,
): Promise<Stretch> {
  const failed = Promise.race(pairs.map((pair) => pair.failed))
  failed.catch(() => {})
  await Promise.race([pass(warmUpSeconds * 1000), failed])
  const mark = async () => ({
    gauges: await readGauges(kaska),
    at: performance.now(),
    cpuSeconds: kaska.cpuSeconds(),
    driver: eventLoopUtilization(),
    sent: pairs.reduce((sum, pair) => sum + pair.sent, 0),
    received: pairs.reduce((sum, pair) => sum + pair.received, 0),
  })
  const before = await mark()
  await Promise.race([pass(seconds * 1000), failed])
  const after = await mark()
  return {
    seconds: (after.at - before.at) / 1000,
    sent: after.sent - before.sent,
    received: after.received - before.received,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    busy: busyShare(before.gauges, after.gauges),
    driverBusy: eventLoopUtilization(after.driver, before.driver).utilization,
    syncs: syncsAtOnce(before.gauges, after.gauges),
    before: before.gauges,
    after: after.gauges,
  }
}

/** Sends one message, and calls back when it was answered. */
export type Send = (answered: () => void) => void

/** Connections that send single messages, each to a partition of its own where there are as many. */
export async function openSenders(
  kaska: Target,
  topic: string,
  connections: number,
  options: {
    messageBytes: number
    partitions: number
    config?: ReadonlyMap<string, string>
  },
): Promise<{ sends: Send[]; connections: RawConnection[] }> {
  const batch = batchOf(1, options.messageBytes)
  const opened: RawConnection[] = []
  while (opened.length < connections) {
    const count = { length: Math.min(50, connections - opened.length) }
    opened.push(...(await Promise.all(Array.from(count, () => RawConnection.open(kaska.port)))))
  }
  await opened[0]?.createTopic(topic, options.partitions, options.config)
  const refs = await Promise.all(opened.map((connection) => connection.resolve(topic)))
  const sends = opened.map((connection, index): Send => {
    const partition = index % options.partitions
    const part = { ref: refs[index] ?? 0, partition, baseSequence: -1, batch }
    return (answered) => {
      connection.begin(
        native.operation.send,
        (writer) => native.writeSendRequest(writer, [part]),
        (_answer, status) => {
          if (status !== native.statusOk) throw new Error('a message was refused')
          answered()
        },
      )
    }
  })
  return { sends, connections: opened }
}

/** The same bytes to an echo. */
export async function openEchoes(
  echo: Target,
  connections: number,
  messageBytes: number,
): Promise<{ sends: Send[]; sockets: Socket[] }> {
  const part = { ref: 1, partition: 0, baseSequence: -1, batch: batchOf(1, messageBytes) }
  const frame = joinChunks(
    native.encodeRequest(native.operation.send, 1, (writer) =>
      native.writeSendRequest(writer, [part]),
    ),
  )
  const sockets = await Promise.all(
    Array.from({ length: connections }, () => openSocket(echo.port)),
  )
  const sends = sockets.map((socket): Send => {
    const waiting: (() => void)[] = []
    let missing = frame.length
    socket.on('data', (chunk) => {
      missing -= (chunk as Uint8Array).length
      while (missing <= 0) {
        missing += frame.length
        waiting.shift()?.()
      }
    })
    return (answered) => {
      waiting.push(answered)
      writeChunks(socket, [frame])
    }
  })
  return { sends, sockets }
}

export interface Paced {
  /** Answers a second, in the time from the first message to the last answer. */
  readonly rate: number
  /** From each message's sending to its answer. */
  readonly micros: readonly number[]
  /** False where so much was under way that it was given up. */
  readonly isWhole: boolean
}

/** A pause of a quarter of a second is no end. */
const underWaySeconds = 0.25

/**
 * Sends at a rate, evenly, in turns over the connections, and does not wait for answers: so a broker that is slow
 * meets no smaller load. Spins, so that the time between two messages is what it should be.
 */
export async function sendAtRate(
  sends: readonly Send[],
  rate: number,
  seconds: number,
): Promise<Paced> {
  const total = Math.round(rate * seconds)
  const underWayMax = Math.max(1000, rate * underWaySeconds)
  const micros: number[] = []
  const started = performance.now()
  let sent = 0
  let answered = 0
  while (answered < total) {
    const due = Math.min(total, Math.ceil(((performance.now() - started) * rate) / 1000))
    // Not more than some at a time: the answers have to be read too.
    for (let count = 0; sent < due && count < 8; count++) {
      const at = performance.now()
      sends[sent % sends.length]?.(() => {
        answered++
        micros.push((performance.now() - at) * 1000)
      })
      sent++
    }
    if (sent - answered > underWayMax) {
      const rateReached = answered / ((performance.now() - started) / 1000)
      while (answered < sent) await pass(1)
      return { rate: rateReached, micros, isWhole: false }
    }
    // Where it is long until the next one there is nothing to spin for.
    const restMs = started + (sent * 1000) / rate - performance.now()
    if (restMs > 2) await pass(restMs - 1.5)
    else await turn()
  }
  return { rate: total / ((performance.now() - started) / 1000), micros, isWhole: true }
}

/** As many a second as there are answers, with `window` under way on each connection. */
export async function mostPerSecond(
  sends: readonly Send[],
  window: number,
  seconds: number,
): Promise<number> {
  let answered = 0
  let isStopped = false
  let underWay = 0
  const again = (send: Send): void => {
    underWay++
    send(() => {
      answered++
      underWay--
      if (!isStopped) again(send)
    })
  }
  const started = performance.now()
  for (const send of sends) for (let index = 0; index < window; index++) again(send)
  await pass(seconds * 1000)
  const rate = answered / ((performance.now() - started) / 1000)
  isStopped = true
  while (underWay > 0) await pass(1)
  return rate
}

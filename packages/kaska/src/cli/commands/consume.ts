/**
 * `kaska consume`: messages as they come, to standard output.
 *
 * Messages are gathered into a block, which leaves when it is full or when there is nothing more to
 * read at the moment; the next block is not filled before the reader has taken this one. With `--as`, what is
 * committed is what has left: never more.
 */
import type { Client, Message } from '@kaska/client'
import { messageToJson } from '@kaska/protocol'
import type { Command } from 'commander'
import { BrokenPipeError } from '../../host/byte-output.ts'
import { nodeClock } from '../../host/node-clock.ts'
import type { Terminal } from '../../host/terminal.ts'
import { Committer } from '../committer.ts'
import { CommandError, oneLine, UsageError } from '../failure.ts'
import { compileFormat, type FormatSink, type MessageFormat } from '../message-format.ts'
import { type OffsetRange, parseOffsetRange, resolvePlace } from '../offset-range.ts'
import { Progress } from '../progress.ts'
import { withClient } from './broker-client.ts'

interface ConsumeOptions {
  readonly offset: string
  readonly count?: number
  readonly exit?: true
  readonly partition?: readonly (readonly number[])[]
  readonly as?: string
  readonly format?: string
  readonly keyDelimiter?: string
  readonly null?: true
  readonly json?: true
}

const blockBytes = 65_536
const pollMs = 30_000

export async function consume(command: Command, terminal: Terminal): Promise<void> {
  const options = command.opts<ConsumeOptions>()
  const format = outputFormat(options)
  const range = parseOffsetRange(options.offset, nodeClock.now())
  if (options.as === '') throw new UsageError('--as needs a name')
  const topics = [...new Set(command.args)]
  const signal = AbortSignal.any([terminal.stopSignal(), terminal.output.broken])
  await withClient(command, terminal, async (client) => {
    const plan = await subscribe(client, topics, range, options, terminal)
    const consumer = new Consumer(client, plan, format, options, terminal)
    try {
      await consumer.run(signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      await consumer.finish()
    }
  })
  if (terminal.output.broken.aborted) throw terminal.output.broken.reason
}

function outputFormat(options: ConsumeOptions): MessageFormat {
  const { format, keyDelimiter, json } = options
  if (json === true) return (message, sink: FormatSink) => sink.text(`${messageToJson(message)}\n`)
  if (format !== undefined && keyDelimiter !== undefined) {
    throw new UsageError('-f and -K exclude each other', 'use %k in the format')
  }
  const key = keyDelimiter === undefined ? '' : `%k${keyDelimiter.replaceAll('%', '%%')}`
  return compileFormat(format ?? `${key}%v\\n`, options.null === true ? 'NULL' : '')
}

/** What is to be read of a partition. */
interface PartitionPlan {
  readonly topic: string
  readonly partition: number
  /** Stop before the message that lies here; undefined: never. */
  readonly until: number | undefined
  /** Is `until` behind what was there at the start? */
  readonly waits: boolean
}

/** By topic, then by partition. */
type Plan = ReadonlyMap<string, ReadonlyMap<number, PartitionPlan>>

/** Subscribes and seeks; says what is to be read. */
async function subscribe(
  client: Client,
  topics: readonly string[],
  range: OffsetRange,
  options: ConsumeOptions,
  terminal: Terminal,
): Promise<Plan> {
  const wanted = options.partition?.flat()
  const plan = new Map<string, Map<number, PartitionPlan>>()
  const partitions: { topic: string; partition: number }[] = []
  for (const topic of topics) {
    const { partitions: count } = await client.describeTopic(topic)
    const missing = wanted?.find((partition) => partition >= count)
    if (missing !== undefined) {
      throw new CommandError(
        `${oneLine(topic)} has no partition ${missing}`,
        `it has ${count}, counted from 0`,
      )
    }
    const numbers = wanted ?? Array.from({ length: count }, (_, partition) => partition)
    for (const partition of new Set(numbers)) partitions.push({ topic, partition })
    plan.set(topic, new Map())
  }
  await client.subscribe(topics)
  await Promise.all(
    partitions.map(async ({ topic, partition }) => {
      const entry = isFromNowOn(range, options)
        ? { topic, partition, until: undefined, waits: true }
        : await place(client, topic, partition, range, options, terminal)
      plan.get(topic)?.set(partition, entry)
    }),
  )
  return plan
}

/** Is all that is asked for what comes from now on? That is where a subscription begins by itself. */
function isFromNowOn({ from, to }: OffsetRange, { as, exit }: ConsumeOptions): boolean {
  return from.kind === 'end' && from.count === 0 && to === undefined && !exit && as === undefined
}

/** Seeks one partition. */
async function place(
  client: Client,
  topic: string,
  partition: number,
  range: OffsetRange,
  options: ConsumeOptions,
  terminal: Terminal,
): Promise<PartitionPlan> {
  const [startOffset, endOffset] = await Promise.all([
    client.startOffset(topic, partition),
    client.endOffset(topic, partition),
  ])
  const places = {
    startOffset,
    endOffset,
    offsetAt: (timestamp: number) => client.offsetAt(topic, timestamp, partition),
  }
  const name = `${oneLine(topic)}/${partition}`
  const committed =
    options.as === undefined ? undefined : await client.committed(options.as, topic, partition)
  let from = committed ?? (await resolvePlace(range.from, places))
  if (from > endOffset) {
    throw new CommandError(
      `offset ${from} lies behind the end of ${name}, which is ${endOffset}`,
      committed === undefined ? 'see `kaska offset get`' : 'move it with `kaska offset commit`',
    )
  }
  if (from < startOffset) {
    terminal.say(`kaska: ${name} begins at offset ${startOffset}; ${from} is gone`)
    from = startOffset
  }
  client.seek(topic, from, partition)
  // From its first run on, a name misses nothing, even if it is stopped before the first message.
  if (options.as !== undefined && committed === undefined) {
    await client.commit(options.as, topic, from, partition)
  }
  let until = range.to === undefined ? undefined : await resolvePlace(range.to, places)
  if (options.exit === true) until = Math.min(until ?? endOffset, endOffset)
  return { topic, partition, until, waits: until !== undefined && until > endOffset }
}

class Consumer {
  readonly #client: Client
  readonly #plan: Plan
  readonly #format: MessageFormat
  readonly #terminal: Terminal
  readonly #committer: Committer | undefined
  readonly #progress: Progress
  /** Messages that may still be printed. */
  #remaining: number
  /** Partitions that have not reached their `until`; those that have none never do. */
  readonly #open: Set<PartitionPlan> = new Set()
  #waits = false
  #isBlockScheduled = false
  #sending: Promise<void> = Promise.resolve()
  #printed = 0
  #printedBytes = 0

  constructor(
    client: Client,
    plan: Plan,
    format: MessageFormat,
    options: ConsumeOptions,
    terminal: Terminal,
  ) {
    this.#client = client
    this.#plan = plan
    this.#format = format
    this.#terminal = terminal
    this.#progress = new Progress(terminal, 'printed')
    this.#remaining = options.count ?? Number.POSITIVE_INFINITY
    const { as } = options
    if (as !== undefined) {
      this.#committer = new Committer(nodeClock, (topic, partition, offset) =>
        client.commit(as, topic, offset, partition),
      )
    }
    for (const partitions of plan.values()) {
      for (const entry of partitions.values()) {
        const { topic, partition, until, waits } = entry
        if (until !== undefined && client.position(topic, partition) >= until) continue
        this.#open.add(entry)
        this.#waits ||= until === undefined || waits
      }
    }
  }

  /** Returns when all that was asked for is printed. */
  async run(signal: AbortSignal): Promise<void> {
    while (this.#remaining > 0 && this.#open.size > 0) {
      const message = await this.#client.poll({ timeoutMs: this.#waits ? pollMs : 0, signal })
      if (message !== undefined) {
        this.#take(message)
        if (this.#terminal.output.pendingBytes >= blockBytes) await this.#send()
      } else if (!this.#waits) {
        // All that lay before the ends was seen, even if their last offsets hold no message.
        return
      }
    }
  }

  /** What was printed leaves, and is committed. */
  async finish(): Promise<void> {
    try {
      await this.#send()
    } catch (error) {
      if (!(error instanceof BrokenPipeError)) throw error
    } finally {
      this.#terminal.clearProgress()
      await this.#committer?.finish()
    }
  }

  #take(message: Message): void {
    const { topic, partition, offset } = message
    const entry = this.#plan.get(topic)?.get(partition)
    // A subscription covers all partitions: of those that were not asked for only what is new comes.
    if (entry === undefined) return
    const until = entry.until ?? Number.POSITIVE_INFINITY
    if (offset >= until) {
      this.#open.delete(entry)
      return
    }
    this.#format(message, this.#terminal.output)
    this.#committer?.take(topic, partition, offset + 1)
    this.#remaining--
    this.#printed++
    this.#printedBytes += message.value?.length ?? 0
    if (offset + 1 >= until) this.#open.delete(entry)
    if (!this.#terminal.isOutputWatched) this.#progress.show(this.#printed, this.#printedBytes)
    this.#scheduleBlock()
  }

  /** A block that does not fill up leaves as soon as nothing more is at hand. */
  #scheduleBlock(): void {
    if (this.#isBlockScheduled) return
    this.#isBlockScheduled = true
    void nodeClock.yield().then(() => {
      this.#isBlockScheduled = false
      // Its failure is met again by the next block, or at the end.
      this.#send().catch(() => {})
    })
  }

  /** Blocks leave in order; resolves when this one, and all before it, have. */
  #send(): Promise<void> {
    const { output } = this.#terminal
    if (output.pendingBytes > 0) {
      const positions = this.#committer?.seal()
      const block = output.send()
      this.#sending = Promise.all([this.#sending, block]).then(() => {
        if (positions !== undefined) this.#committer?.left(positions)
      })
      this.#sending.catch(() => {})
    }
    return this.#sending
  }
}

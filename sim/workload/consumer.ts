/**
 * A consumer: subscribes, polls, seeks back now and then, commits as it goes, and now and then begins
 * anew at what it committed, as after a restart of its own.
 */
import { type Client, type Message, OffsetOutOfRangeError } from '@kaska/client'
import type { CommitChecker } from '../checkers/commit-checker.ts'
import type { DeletionChecker } from '../checkers/deletion-checker.ts'
import type { MessageChecker } from '../checkers/message-checker.ts'
import { PositionChecker } from '../checkers/position-checker.ts'
import { Violation } from '../checkers/violation.ts'
import type { PlannedTopic } from '../plan.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { Sleeper } from './sleeper.ts'

export interface ConsumerOptions {
  readonly name: string
  /** What it commits under; nobody else does. */
  readonly group: string
  /** Whose commits it looks at: its own and those of others. */
  readonly groups: readonly string[]
  readonly connect: () => Promise<Client>
  readonly clock: Sleeper
  readonly random: SeededRandom
  readonly topics: readonly PlannedTopic[]
  readonly messages: MessageChecker
  readonly commits: CommitChecker
  readonly deletions: DeletionChecker
  /** How long its polls wait: one of these. */
  readonly pollMs: readonly number[]
  /** The errors that a call may end with, and still the run is sound. */
  readonly isExpected: (error: unknown) => boolean
  readonly isOver: () => boolean
}

/** The partitions of all topics together are fewer. */
const inVainMax = 50

export class Consumer {
  readonly #options: ConsumerOptions
  readonly #positions: PositionChecker
  readonly #topics: readonly PlannedTopic[]
  readonly #group: string
  /** The largest offset that was handed to `commit`, by partition: commits only grow. */
  readonly #committed = new Map<string, number>()

  /** Was it told that what it reads next was deleted? */
  #isBehind = false
  /** How many partitions it has moved since then. */
  #caughtUp = 0
  /** How often it was told so, and there was nothing to move. */
  #inVain = 0

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#positions = new PositionChecker(options.name)
    const { random, topics } = options
    this.#group = options.group
    const some = topics.filter(() => random.chance(0.7))
    this.#topics = some.length > 0 ? some : topics
  }

  get seen(): number {
    return this.#positions.seen
  }

  async run(): Promise<void> {
    const { clock, isExpected, isOver, random } = this.#options
    while (!isOver()) {
      let client: Client | undefined
      try {
        client = await this.#options.connect()
        await this.#consume(client, random.spread(5, 2000))
      } catch (error) {
        if (!isExpected(error)) throw error
        await clock.sleep(100)
      } finally {
        await client?.close()
      }
    }
  }

  /** So many polls of one subscription. */
  async #consume(client: Client, polls: number): Promise<void> {
    const { clock, isExpected, isOver, random } = this.#options
    this.#isBehind = false
    this.#caughtUp = 0
    await client.subscribe([...this.#topics.map(({ name }) => name), 'no such topic'])
    await this.#begin(client)
    for (let count = 0; count < polls && !isOver(); count++) {
      try {
        if (this.#isBehind) await this.#catchUp(client)
        const way = random.between(1, 50)
        if (way === 1) await this.#stream(client)
        else if (way === 2) await this.#seekWhilePolling(client)
        else await this.#poll(client)
        if (random.chance(0.02)) this.#seekBack(client)
        if (random.chance(0.05)) await this.#commit(client)
        if (random.chance(0.05)) await this.#readCommit(client)
      } catch (error) {
        if (this.#isDeletion(error)) this.#isBehind = true
        else if (!isExpected(error)) throw error
        await clock.sleep(100)
      }
    }
  }

  /** Was what it was about to read deleted? */
  #isDeletion(error: unknown): boolean {
    const { deletions } = this.#options
    const isTrimmed = this.#topics.some(({ name }) => deletions.isTrimmed(name))
    return isTrimmed && error instanceof OffsetOutOfRangeError
  }

  /** Goes on where the partitions begin that lost what it was to read next. */
  async #catchUp(client: Client): Promise<void> {
    const { deletions } = this.#options
    for (const { name, partitions } of this.#topics) {
      for (let partition = 0; partition < partitions; partition++) {
        const floor = deletions.floorOf(name, partition)
        const startOffset = await client.startOffset(name, partition)
        deletions.startRead(name, partition, startOffset, floor)
        if (client.position(name, partition) >= startOffset) continue
        client.seek(name, startOffset, partition)
        this.#positions.moved(name, partition, startOffset)
        this.#caughtUp++
      }
    }
    this.#isBehind = false
    // Each partition has an error of its own, and all of them have moved at the first.
    this.#inVain = this.#caughtUp > 0 ? 0 : this.#inVain + 1
    this.#caughtUp = 0
    if (this.#inVain > inVainMax) {
      throw new Violation(`${this.#options.name}: out of range, and nothing was deleted`)
    }
  }

  /** Where the consumption begins: at the end, at the start, or at what was committed. */
  async #begin(client: Client): Promise<void> {
    const { random } = this.#options
    const way = random.pick(['end', 'start', 'committed'])
    for (const { name, partitions } of this.#topics) {
      for (let partition = 0; partition < partitions; partition++) {
        if (way === 'start') client.seek(name, 0, partition)
        if (way === 'committed') {
          const committed = await this.#readCommitOf(client, name, partition)
          client.seek(name, committed ?? 0, partition)
        }
        this.#positions.moved(name, partition, client.position(name, partition))
      }
    }
  }

  async #poll(client: Client): Promise<void> {
    const { pollMs, random } = this.#options
    this.#take(client, await client.poll({ timeoutMs: random.pick(pollMs) }))
  }

  /** Reads ahead for a while. */
  async #stream(client: Client): Promise<void> {
    const { clock, isOver, random } = this.#options
    const stop = new AbortController()
    const stopped = clock.sleep(random.between(1, 500)).then(() => stop.abort())
    let left = random.spread(1, 300)
    try {
      for await (const message of client.messages({ signal: stop.signal })) {
        this.#take(client, message)
        if (--left === 0 || isOver()) break
        if (random.chance(0.05)) await clock.sleep(random.between(0, 20))
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
    await stopped
  }

  /** What was asked for before the move must not come after it. */
  async #seekWhilePolling(client: Client): Promise<void> {
    const { clock, random } = this.#options
    const polling = client.poll({ timeoutMs: 500 })
    const settled = polling.then(
      () => {},
      () => {},
    )
    await Promise.race([settled, clock.sleep(random.between(0, 20))])
    // If it has been handed a message by now, its position has moved on: then there is nothing to see.
    const partitions = this.#topics.flatMap(({ name, partitions: count }) =>
      Array.from({ length: count }, (_, partition) => ({ name, partition })),
    )
    const isUntouched = partitions.every(({ name, partition }) =>
      this.#positions.isAt(name, partition, client.position(name, partition)),
    )
    if (isUntouched) this.#seekBack(client)
    this.#take(client, await polling)
  }

  #take(client: Client, message: Message | undefined): void {
    if (message === undefined) return
    const { topic, partition, offset, value } = message
    this.#positions.handedOut(topic, partition, offset, client.position(topic, partition))
    this.#options.messages.seen({ topic, partition, offset }, value ?? new Uint8Array(0))
  }

  #seekBack(client: Client): void {
    const { random } = this.#options
    const { name, partitions } = random.pick(this.#topics)
    const partition = random.between(0, partitions - 1)
    const position = client.position(name, partition)
    this.#positions.stands(name, partition, position)
    const target = random.chance(0.2) ? 0 : Math.max(0, position - random.spread(0, 50))
    client.seek(name, target, partition)
    this.#positions.moved(name, partition, target)
  }

  async #commit(client: Client): Promise<void> {
    const { commits, random } = this.#options
    const group = this.#group
    const { name, partitions } = random.pick(this.#topics)
    const partition = random.between(0, partitions - 1)
    const key = commitKey(group, name, partition)
    const position = client.position(name, partition)
    if (position <= (this.#committed.get(key) ?? -1)) return
    this.#committed.set(key, position)
    commits.committing(key, position)
    const committing = client.commit(group, name, position, partition)
    committing.catch(() => {
      // Awaited below, unless the read before it fails.
    })
    // What is read while it is made must not be lost either.
    if (random.chance(0.5)) await this.#readCommitOf(client, name, partition)
    await committing
    commits.acknowledged(key, position)
  }

  async #readCommit(client: Client): Promise<void> {
    const { groups, random } = this.#options
    const { name, partitions } = random.pick(this.#topics)
    const partition = random.between(0, partitions - 1)
    await this.#readCommitOf(client, name, partition, random.pick(groups))
  }

  async #readCommitOf(client: Client, topic: string, partition: number, group = this.#group) {
    const { commits } = this.#options
    const key = commitKey(group, topic, partition)
    const floor = commits.floorOf(key)
    const committed = await client.committed(group, topic, partition)
    commits.read(key, committed, floor)
    return committed
  }

  /** Reads every commit once more, when all is over. */
  async check(client: Client): Promise<void> {
    for (const { name, partitions } of this.#topics) {
      for (let partition = 0; partition < partitions; partition++) {
        await this.#readCommitOf(client, name, partition)
      }
    }
  }
}

function commitKey(group: string, topic: string, partition: number): string {
  return `${group.slice(0, 20)} ${topic.slice(0, 20)}/${partition}`
}

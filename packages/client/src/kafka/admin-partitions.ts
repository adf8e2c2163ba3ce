/** Many partitions of a cluster at once: their bounds and sizes; and the deletion of messages. */
import {
  ConnectionError,
  kafka,
  type OffsetBounds,
  OffsetOutOfRangeError,
  type TopicId,
  type TopicInfo,
  UnknownPartitionError,
  UnknownTopicError,
  UnsupportedVersionError,
} from '@kaska/protocol'
import { sleep } from '../abort.ts'
import type { AdminSeams, PartitionPlace } from './admin-types.ts'
import type { KnownTopic } from './cluster.ts'
import { errorOfCode, isMoved, Moved } from './kafka-errors.ts'
import { settled } from './settled.ts'

const [earliest, latest] = [-2, -1]
/** Of committed transactions only, as polls see them. */
const readCommitted = 1
const askTimeoutMs = 10_000
const deleteTimeoutMs = 30_000
const topicAgeMsMax = 1_000
/** How often partitions are asked for whose leaders were not where they were known to be. */
const attemptsMax = 3
const pauseMs = 50

interface Asked extends PartitionPlace {
  readonly name: string
  readonly leader: number
}

export class AdminPartitions {
  readonly #seams: AdminSeams

  constructor(seams: AdminSeams) {
    this.#seams = seams
  }

  async bounds(places: readonly PartitionPlace[]): Promise<(OffsetBounds | undefined)[]> {
    const { clock, cluster } = this.#seams
    const found = new Map<string, OffsetBounds>()
    let left = [...new Map(places.map((place) => [keyOf(place), place])).values()]
    for (let attempt = 0; left.length > 0 && attempt < attemptsMax; attempt++) {
      if (attempt > 0) {
        for (const { topic } of left) cluster.topics.delete(topic)
        await sleep(clock, pauseMs * attempt, cluster.closing.signal)
      }
      const asked = await this.#asked(left)
      await Promise.all(
        [...Map.groupBy(asked, ({ leader }) => leader)].map(([leader, some]) =>
          this.#boundsAt(leader, some, found),
        ),
      )
      left = left.filter((place) => !found.has(keyOf(place)))
    }
    return places.map((place) => found.get(keyOf(place)))
  }

  async sizes(topics: readonly TopicInfo[]): Promise<(number | undefined)[][]> {
    const { cluster } = this.#seams
    const known = await Promise.all(topics.map(({ id }) => cluster.topic(id, topicAgeMsMax)))
    const byNode = await Promise.all(
      [...cluster.brokers.keys()].map(
        async (node) => [node, await this.#sizesAt(node, known)] as const,
      ),
    )
    const sizes = new Map(byNode)
    return topics.map(({ partitions }, index) =>
      Array.from({ length: partitions }, (_, partition) => {
        const topic = known[index]
        const leader = topic?.leaders[partition]?.leader ?? -1
        return topic && sizes.get(leader)?.get(`${topic.name} ${partition}`)
      }),
    )
  }

  async deleteRecords(place: PartitionPlace, offset: number | undefined): Promise<number> {
    const { clock, cluster } = this.#seams
    // What is deleted twice is gone as well: the request may be sent again.
    return await settled(
      async () => {
        const topic = await cluster.topic(place.topic, topicAgeMsMax)
        if (topic === undefined) {
          throw new UnknownTopicError(`no topic of the cluster has the id ${place.topic}`)
        }
        try {
          return await this.#delete(topic, place.partition, offset)
        } catch (error) {
          if (!(error instanceof ConnectionError)) throw error
          cluster.topics.delete(place.topic)
          throw new Moved(error)
        }
      },
      clock,
      cluster.closing.signal,
    )
  }

  /** Those that are there and have a leader. */
  async #asked(places: readonly PartitionPlace[]): Promise<Asked[]> {
    const ids = [...new Set(places.map(({ topic }) => topic))]
    const found = await Promise.all(ids.map((id) => this.#seams.cluster.topic(id, topicAgeMsMax)))
    const topics = new Map<TopicId, KnownTopic | undefined>(
      ids.map((id, index) => [id, found[index]]),
    )
    return places.flatMap((place) => {
      const topic = topics.get(place.topic)
      const leader = topic?.leaders[place.partition]?.leader ?? -1
      return topic === undefined || leader < 0 ? [] : [{ ...place, name: topic.name, leader }]
    })
  }

  /** What the broker does not answer for is not added. */
  async #boundsAt(
    leader: number,
    asked: readonly Asked[],
    found: Map<string, OffsetBounds>,
  ): Promise<void> {
    try {
      const [starts, ends] = await Promise.all([
        this.#listOffsets(leader, asked, earliest),
        this.#listOffsets(leader, asked, latest),
      ])
      for (const place of asked) {
        const name = `${place.name} ${place.partition}`
        const [startOffset, endOffset] = [starts.get(name), ends.get(name)]
        if (startOffset === undefined || endOffset === undefined) continue
        found.set(keyOf(place), { startOffset, endOffset })
      }
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
    }
  }

  async #listOffsets(
    leader: number,
    asked: readonly Asked[],
    timestamp: number,
  ): Promise<Map<string, number>> {
    const topics = Array.from(
      Map.groupBy(asked, ({ name }) => name),
      ([name, some]) => ({
        name,
        partitions: some.map(({ partition }) => ({ partitionIndex: partition, timestamp })),
      }),
    )
    const connection = await this.#seams.cluster.connection(leader, 'work')
    const answer = await connection.request(kafka.listOffsetsRequest, kafka.listOffsetsResponse, {
      replicaId: -1,
      isolationLevel: readCommitted,
      topics,
      timeoutMs: askTimeoutMs,
    })
    const offsets = new Map<string, number>()
    for (const { name, partitions } of answer.topics) {
      for (const { partitionIndex, errorCode, offset } of partitions) {
        if (errorCode === 0) offsets.set(`${name} ${partitionIndex}`, offset)
        else if (!isMoved(errorCode)) {
          throw errorOfCode(errorCode, `partition ${partitionIndex} of '${name}' cannot be asked`)
        }
      }
    }
    return offsets
  }

  async #sizesAt(
    node: number,
    topics: readonly (KnownTopic | undefined)[],
  ): Promise<Map<string, number>> {
    const sizes = new Map<string, number>()
    // A topic that several ask for is asked for once.
    const led = new Map<string, number[]>()
    for (const topic of topics) {
      if (topic === undefined) continue
      const partitions = [...topic.leaders.keys()].filter(
        (partition) => topic.leaders[partition]?.leader === node,
      )
      if (partitions.length > 0) led.set(topic.name, partitions)
    }
    if (led.size === 0) return sizes
    try {
      const connection = await this.#seams.cluster.connection(node, 'work')
      const answer = await connection.request(
        kafka.describeLogDirsRequest,
        kafka.describeLogDirsResponse,
        { topics: Array.from(led, ([topic, partitions]) => ({ topic, partitions })) },
      )
      for (const directory of answer.results) {
        for (const { name, partitions } of directory.topics) {
          for (const { partitionIndex, partitionSize, isFutureKey } of partitions) {
            if (!isFutureKey) sizes.set(`${name} ${partitionIndex}`, partitionSize)
          }
        }
      }
    } catch (error) {
      // A broker that is gone, or that does not know the question: its sizes are not known.
      const isExpected =
        error instanceof ConnectionError || error instanceof UnsupportedVersionError
      if (!isExpected) throw error
    }
    return sizes
  }

  async #delete(topic: KnownTopic, partition: number, before: number | undefined): Promise<number> {
    const { cluster } = this.#seams
    const leader = topic.leaders[partition]?.leader
    const what = `partition ${partition} of '${topic.name}'`
    if (leader === undefined) throw new UnknownPartitionError(`there is no ${what}`)
    if (leader < 0) throw new ConnectionError(`${what} has no leader now`)
    // It waits for the other replicas: what is asked on the same connection would wait with it.
    const connection = await cluster.connection(leader, 'admin')
    // -1: all that readers may see.
    const partitions = [{ partitionIndex: partition, offset: before ?? -1 }]
    const answer = await connection.request(
      kafka.deleteRecordsRequest,
      kafka.deleteRecordsResponse,
      { topics: [{ name: topic.name, partitions }], timeoutMs: deleteTimeoutMs },
      { waitMs: deleteTimeoutMs },
    )
    const found = answer.topics[0]?.partitions[0]
    if (found === undefined) throw new ConnectionError(`${what} was not answered for`)
    const { errorCode: code, lowWatermark } = found
    if (code === 0) return lowWatermark
    if (code === kafka.errorCode.OFFSET_OUT_OF_RANGE) {
      const [bounds] = await this.bounds([{ topic: topic.id, partition }])
      if (bounds !== undefined) {
        throw new OffsetOutOfRangeError(
          `the partition holds ${bounds.startOffset} to ${bounds.endOffset}, not ${before}`,
          bounds,
        )
      }
    }
    const error = errorOfCode(code, `the messages of ${what} were not deleted`)
    throw isMoved(code) ? new ConnectionError(error.message) : error
  }
}

function keyOf({ topic, partition }: PartitionPlace): string {
  return `${topic} ${partition}`
}

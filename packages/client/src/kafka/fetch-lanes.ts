/**
 * Fetches that wait at a broker. A broker answers one request of a connection after the other, so each
 * waiting fetch has a connection of its own, a lane. A reader that has heard from one broker no longer
 * waits for the others: their fetches stay under way, and whoever asks the same next takes them over.
 */
import { type Clock, kafka, UnsupportedVersionError } from '@kaska/protocol'
import type { BrokerConnection } from './broker-connection.ts'
import type { Cluster } from './cluster.ts'

export interface FetchPart {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly lastEpoch: number
  readonly leaderEpoch: number
}

export interface FetchCall {
  readonly parts: readonly FetchPart[]
  readonly waitMs: number
  readonly bytesMax: number
  /** Of one partition, so that others have room. */
  readonly partitionBytesMax: number
}

interface Lane {
  connection: BrokerConnection | undefined
  /** What is asked on it, if somebody may still want the answer. */
  key: string | undefined
  answer: Promise<kafka.FetchResponse> | undefined
  isAnswered: boolean
  /** Until when the broker may wait. */
  until: number
  isTaken: boolean
}

/** Lanes to one broker that nobody uses now. */
const idleMax = 4
/** The first version with topic ids: a successor of a topic is never taken for it. */
const fetchVersionMin = 13

export class FetchLanes {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #lanes = new Map<number, Set<Lane>>()

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster
    this.#clock = clock
  }

  /** Asks one broker; `leave` gives the lane back, whether there was an answer or not. */
  fetch(
    node: number,
    call: FetchCall,
  ): { answer: Promise<kafka.FetchResponse>; leave: () => void } {
    const key = JSON.stringify(call.parts)
    const lane = this.#take(node, key, call.waitMs)
    if (lane.key !== key || lane.answer === undefined) {
      lane.key = key
      lane.isAnswered = false
      lane.until = this.#clock.monotonic() + call.waitMs
      lane.answer = this.#ask(lane, node, call).finally(() => {
        lane.isAnswered = true
      })
      lane.answer.catch(() => {})
    }
    let isUsed = false
    const answer = lane.answer.then((response) => {
      isUsed = true
      return response
    })
    answer.catch(() => {})
    const leave = () => this.#leave(node, lane, isUsed)
    return { answer, leave }
  }

  /** Does a fetch of just these parts wait there now? Then there was nothing to tell so far. */
  isWaiting(node: number, parts: readonly FetchPart[]): boolean {
    const key = JSON.stringify(parts)
    for (const lane of this.#lanes.get(node) ?? []) {
      if (!lane.isTaken && !lane.isAnswered && lane.key === key) return true
    }
    return false
  }

  close(): void {
    for (const lanes of this.#lanes.values()) {
      for (const lane of lanes) lane.connection?.close()
    }
    this.#lanes.clear()
  }

  #take(node: number, key: string, waitMs: number): Lane {
    let lanes = this.#lanes.get(node)
    if (lanes === undefined) {
      lanes = new Set()
      this.#lanes.set(node, lanes)
    }
    const until = this.#clock.monotonic() + waitMs
    let free: Lane | undefined
    for (const lane of lanes) {
      if (lane.isTaken) continue
      if (lane.key === key && (lane.isAnswered || lane.until <= until)) {
        lane.isTaken = true
        return lane
      }
      if (lane.isAnswered) free = lane
    }
    if (free === undefined) {
      free = {
        connection: undefined,
        key: undefined,
        answer: undefined,
        isAnswered: true,
        until: 0,
        isTaken: true,
      }
      lanes.add(free)
    }
    free.key = undefined
    free.answer = undefined
    free.isTaken = true
    return free
  }

  #leave(node: number, lane: Lane, isUsed: boolean): void {
    lane.isTaken = false
    const lanes = this.#lanes.get(node)
    if (isUsed) {
      lane.key = undefined
      lane.answer = undefined
    }
    if (lane.isAnswered && (lane.connection === undefined || lane.connection.isClosed)) {
      lanes?.delete(lane)
      return
    }
    // The newest stays; the oldest goes, with what it may have waited for.
    let idle = 0
    for (const one of lanes ?? []) if (!one.isTaken) idle++
    for (const one of lanes ?? []) {
      if (idle <= idleMax) break
      if (one.isTaken) continue
      one.connection?.close()
      lanes?.delete(one)
      idle--
    }
  }

  async #ask(lane: Lane, node: number, call: FetchCall): Promise<kafka.FetchResponse> {
    if (lane.connection === undefined || lane.connection.isClosed) {
      lane.connection = await this.#cluster.dialNode(node)
    }
    const { connection } = lane
    const version = connection.versionOf(kafka.fetchRequest)
    if (version < fetchVersionMin) {
      throw new UnsupportedVersionError(
        `the broker at ${connection.address} knows no topic ids: Apache Kafka 3.1 is the first that does`,
      )
    }
    const topics = new Map<string, FetchPart[]>()
    for (const part of call.parts) {
      const parts = topics.get(part.topic)
      if (parts === undefined) topics.set(part.topic, [part])
      else parts.push(part)
    }
    const input = {
      maxWaitMs: call.waitMs,
      minBytes: 1,
      maxBytes: call.bytesMax,
      // What was aborted is never read (KIP-98).
      isolationLevel: 1,
      sessionEpoch: -1,
      topics: [...topics].map(([topicId, parts]) => ({
        topicId,
        partitions: parts.map(({ partition, offset, lastEpoch, leaderEpoch }) => ({
          partition,
          currentLeaderEpoch: leaderEpoch,
          fetchOffset: offset,
          lastFetchedEpoch: lastEpoch,
          partitionMaxBytes: call.partitionBytesMax,
        })),
      })),
    }
    return await connection.request(kafka.fetchRequest, kafka.fetchResponse, input, {
      waitMs: call.waitMs,
    })
  }
}

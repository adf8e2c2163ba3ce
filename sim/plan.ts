/** What a run does, all of it decided by its seed. */
import type { ClientOptions } from '@kaska/client'
import type { SeededRandom } from './seeded-random.ts'

/**
 * `always`  acknowledged is on the disk: the power may go.
 * `os`      acknowledged is written: processes may be killed.
 */
export type PlannedSync = 'always' | 'os'

export interface PlannedTopic {
  readonly name: string
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
  /** Are messages at its front deleted, by its settings or by an operator? */
  readonly isTrimmed: boolean
}

/** How often each thing goes wrong, in relation to each other; 0 never. */
export interface Troubles {
  readonly kill: number
  readonly lastOperation: number
  readonly powerCut: number
  readonly stop: number
  readonly breakConnections: number
  readonly badNetwork: number
  readonly fullDisk: number
  readonly failingSync: number
  readonly slowDisk: number
  readonly clockJump: number
}

export interface Plan {
  readonly seed: number
  readonly sync: PlannedSync
  readonly topics: readonly PlannedTopic[]
  readonly producers: number
  readonly consumers: number
  readonly topicOwners: number
  /** For how long things happen, in simulated milliseconds; then all is healed and checked. */
  readonly durationMs: number
  /** The longest pause between two troubles. */
  readonly troubleMsMax: number
  readonly troubles: Troubles
  readonly messageBytesMax: number
  /** How long producers and consumers rest: in slow runs minutes go by, and checkpoints are written. */
  readonly pace: Pace
  readonly client: ClientOptions
  readonly limits: BrokerLimits
  /** How long the names of groups and of the owners' topics are: long ones make for snapshots. */
  readonly nameLength: number
}

/** Narrow ones make for many openings and closings, waits for memory, and reads from the disk. */
export interface BrokerLimits {
  /** Logs that stay open though nobody uses them. */
  readonly openPartitions: number
  readonly openFiles: number
  /** Syncs at a time. */
  readonly syncs: number
  readonly checkpointMs: number
  readonly memoryBytes: number
  readonly tailBytes: number
  readonly retentionCheckMs: number
}

export interface Pace {
  /** The longest pause between two sends of a producer. */
  readonly producerMsMax: number
  /** How long the polls wait: one of these. */
  readonly pollMs: readonly number[]
}

const fastPace = { pollMs: [0, 5, 50, 500] }
const slowPace = { pollMs: [500, 5000, 20_000] }

/** Names with what makes names difficult. */
const topicNames = ['orders', 'payments/eu', 'Ünïcode ✓', '..', 'x'.repeat(300), '\u{feff}bom']

export function planOf(seed: number, random: SeededRandom): Plan {
  const sync: PlannedSync = random.chance(0.65) ? 'always' : 'os'
  const topics: PlannedTopic[] = []
  for (let index = random.between(1, 4); index > 0; index--) {
    topics.push({
      name: topicNames[index] as string,
      partitions: random.chance(0.5) ? 1 : random.between(2, 4),
      config: configOf(random),
      isTrimmed: false,
    })
  }
  // Decided apart from all else, so that the other runs stay as they were.
  const trimming = random.fork('trimming')
  if (trimming.chance(0.4)) {
    for (const [index, topic] of topics.entries()) topics[index] = trimmed(topic, trimming)
  }
  // Some runs meet one kind of trouble only, so that it is met in depth.
  const isMixed = random.chance(0.6)
  const kinds = [
    'kill',
    'lastOperation',
    'powerCut',
    'breakConnections',
    'badNetwork',
    'fullDisk',
    'failingSync',
  ] as const
  const only = random.pick(kinds)
  const weight = (kind: string, of: number): number => {
    if (!isMixed && kind !== only) return 0
    return random.chance(0.7) || !isMixed ? of : 0
  }
  const isSlow = random.chance(0.2)
  return {
    seed,
    sync,
    topics,
    producers: random.between(1, 4),
    consumers: random.between(1, 3),
    topicOwners: random.between(0, 2),
    durationMs: isSlow ? random.between(60_000, 300_000) : random.between(1000, 12_000),
    troubleMsMax: isSlow ? random.between(5000, 60_000) : random.spread(100, 4000),
    pace: isSlow
      ? { ...slowPace, producerMsMax: random.between(500, 5000) }
      : { ...fastPace, producerMsMax: random.spread(1, 400) },
    client: clientOptionsOf(random),
    limits: limitsOf(random),
    nameLength: random.chance(0.2) ? 16_000 : 0,
    troubles: {
      kill: weight('kill', 3),
      lastOperation: weight('lastOperation', 3),
      powerCut: sync === 'always' ? weight('powerCut', 3) : 0,
      stop: weight('stop', 1),
      breakConnections: weight('breakConnections', 3),
      badNetwork: weight('badNetwork', 2),
      fullDisk: weight('fullDisk', 1),
      failingSync: weight('failingSync', 1),
      slowDisk: weight('slowDisk', 1),
      clockJump: weight('clockJump', 1),
    },
    messageBytesMax: random.chance(0.1) ? 200_000 : 3000,
  }
}

function trimmed(topic: PlannedTopic, random: SeededRandom): PlannedTopic {
  const config = { ...topic.config }
  if (random.chance(0.5)) config['retention.ms'] = String(random.spread(200, 20_000))
  if (random.chance(0.3)) config['retention.bytes'] = String(random.spread(0, 200_000))
  return { ...topic, config, isTrimmed: true }
}

function limitsOf(random: SeededRandom): BrokerLimits {
  const isNarrow = random.chance(0.5)
  return {
    openPartitions: random.chance(0.5) ? random.between(0, 3) : 10_000,
    openFiles: random.chance(0.5) ? random.between(0, 5) : 512,
    syncs: random.pick([1, 2, 16]),
    checkpointMs: random.pick([500, 5000, 60_000]),
    memoryBytes: isNarrow ? random.between(4, 16) << 20 : 256 << 20,
    tailBytes: random.chance(0.3) ? random.spread(0, 1 << 20) : 2 << 20,
    retentionCheckMs: random.fork('retention').pick([50, 500, 5000, 300_000]),
  }
}

/** From tiny to what is assumed unless said: the smaller, the more requests. */
function clientOptionsOf(random: SeededRandom): ClientOptions {
  return {
    readAheadBytes: random.spread(1000, 4 << 20),
    batchBytes: random.spread(200, 256 << 10),
    sendBufferBytes: random.spread(5000, 32 << 20),
    deliveryTimeoutMs: random.chance(0.3) ? random.spread(500, 30_000) : 120_000,
    silenceTimeoutMs: random.pick([500, 10_000]),
  }
}

function configOf(random: SeededRandom): Record<string, string> {
  const config: Record<string, string> = {}
  if (random.chance(0.5)) config['segment.ms'] = String(random.spread(50, 5000))
  if (random.chance(0.3)) config['segment.bytes'] = '1048576'
  if (random.chance(0.3)) config['index.interval.bytes'] = String(random.spread(0, 4096))
  if (random.chance(0.2)) config['message.timestamp.type'] = 'LogAppendTime'
  return config
}

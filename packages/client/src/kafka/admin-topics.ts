/** The topics of a cluster: their settings, and how many partitions they have. */
import {
  ConnectionError,
  InvalidArgumentError,
  KaskaError,
  kafka,
  type TopicInfo,
  UnknownTopicError,
} from '@kaska/protocol'
import { sleep } from '../abort.ts'
import type { AdminSeams, TopicSetting } from './admin-types.ts'
import { errorOfCode } from './kafka-errors.ts'

const topicResource = 2
/** Where a value was set for the topic itself. */
const topicConfigSource = 1
const controllerTimeoutMs = 30_000
/** What IncrementalAlterConfigs does with a value. */
const [setOperation, deleteOperation] = [0, 1]
/** How long the broker that is asked may take to hear of what the controller has changed. */
const seenMsMax = 5_000
const pauseMs = 10

/** By DescribeConfigs' numbers. */
const types = [undefined, 'boolean', 'string', 'int', 'short', 'long', 'double', 'list', 'class']

/** Brokers call the default of a time by a setting of theirs that may be in another unit. */
const scales: readonly (readonly [suffix: string, ms: number])[] = [
  ['.hours', 3_600_000],
  ['.minutes', 60_000],
]

export class AdminTopics {
  readonly #seams: AdminSeams

  constructor(seams: AdminSeams) {
    this.#seams = seams
  }

  async settings(
    topics: readonly string[],
    keys: readonly string[] | null,
  ): Promise<(readonly TopicSetting[] | KaskaError)[]> {
    if (topics.length === 0) return []
    const connection = await this.#seams.cluster.admin()
    const answer = await connection.request(
      kafka.describeConfigsRequest,
      kafka.describeConfigsResponse,
      {
        resources: topics.map((resourceName) => {
          const configurationKeys = keys === null ? null : [...keys]
          return { resourceType: topicResource, resourceName, configurationKeys }
        }),
        includeSynonyms: true,
        includeDocumentation: keys === null,
      },
    )
    const found = new Map<string, readonly TopicSetting[] | KaskaError>()
    for (const { resourceName, errorCode, errorMessage, configs } of answer.results) {
      const { UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION } = kafka.errorCode
      if (errorCode !== 0) {
        const isNone =
          errorCode === UNKNOWN_TOPIC_OR_PARTITION || errorCode === INVALID_TOPIC_EXCEPTION
        const error = isNone
          ? unknown(resourceName)
          : errorOfCode(errorCode, `'${resourceName}' is not described`, errorMessage)
        found.set(resourceName, error)
        continue
      }
      const settings = configs.map(settingOf)
      settings.sort((one, other) => (one.name < other.name ? -1 : 1))
      found.set(resourceName, settings)
    }
    const what = (name: string) => `the settings of '${name}' were not answered`
    return topics.map((name) => found.get(name) ?? new ConnectionError(what(name)))
  }

  async alter(topic: string, changes: ReadonlyMap<string, string | null>): Promise<void> {
    const connection = await this.#seams.cluster.admin()
    const configs = Array.from(changes, ([name, value]) => {
      const configOperation = value === null ? deleteOperation : setOperation
      return { name, configOperation, value }
    })
    const { responses } = await connection.request(
      kafka.incrementalAlterConfigsRequest,
      kafka.incrementalAlterConfigsResponse,
      { resources: [{ resourceType: topicResource, resourceName: topic, configs }] },
      { waitMs: controllerTimeoutMs },
    )
    const [answer] = responses
    if (answer === undefined) throw new ConnectionError(`the change of '${topic}' was not answered`)
    check(topic, answer.errorCode, answer.errorMessage)
    await this.#seen(topic, changes)
  }

  async grow(topic: string, partitions: number): Promise<TopicInfo> {
    const { cluster } = this.#seams
    const connection = await cluster.admin()
    const { results } = await connection.request(
      kafka.createPartitionsRequest,
      kafka.createPartitionsResponse,
      {
        topics: [{ name: topic, count: partitions, assignments: null }],
        timeoutMs: controllerTimeoutMs,
      },
      { waitMs: controllerTimeoutMs },
    )
    const [answer] = results
    if (answer === undefined) throw new ConnectionError(`the growth of '${topic}' was not answered`)
    check(topic, answer.errorCode, answer.errorMessage)
    const [known] = await cluster.byName([topic])
    if (known === undefined) throw unknown(topic)
    await cluster.awaitCreation(known.id, partitions)
    return { name: topic, id: known.id, partitions }
  }

  /** Resolves when the broker that tells settings has heard of the change, or somebody has changed it since. */
  async #seen(topic: string, changes: ReadonlyMap<string, string | null>): Promise<void> {
    const { clock, cluster } = this.#seams
    const deadline = clock.monotonic() + seenMsMax
    for (;;) {
      const [settings] = await this.settings([topic], [...changes.keys()])
      // Who may change them and not read them is told no more.
      if (settings === undefined || settings instanceof KaskaError) return
      const isSeen = settings.every(({ name, value, isDefault }) => {
        const wanted = changes.get(name) ?? null
        return wanted === null ? isDefault : !isDefault && value === wanted
      })
      if (isSeen || clock.monotonic() > deadline) return
      await sleep(clock, pauseMs, cluster.closing.signal)
    }
  }
}

type DescribedConfig = kafka.DescribeConfigsResponse['results'][number]['configs'][number]

function settingOf(config: DescribedConfig): TopicSetting {
  const { name, value, configSource, synonyms, configType, documentation } = config
  const isDefault = configSource !== topicConfigSource
  const inherited = synonyms.find(({ source }) => source !== topicConfigSource)
  return {
    name,
    value: value ?? '',
    isDefault,
    defaultValue: isDefault ? (value ?? '') : inherited && scaled(inherited.name, inherited.value),
    type: types[configType],
    doc: documentation ?? undefined,
  }
}

/** In the unit of the topic's setting. */
function scaled(name: string, value: string | null): string | undefined {
  const [, ms = 1] = scales.find(([suffix]) => name.endsWith(suffix)) ?? []
  if (value === null || ms === 1 || !/^\d+$/.test(value)) return value ?? undefined
  return String(BigInt(value) * BigInt(ms))
}

function check(topic: string, code: number, text: string | null): void {
  if (code === 0) return
  if (code === kafka.errorCode.UNKNOWN_TOPIC_OR_PARTITION) throw unknown(topic)
  if (code === kafka.errorCode.INVALID_CONFIG && text) throw new InvalidArgumentError(text)
  throw errorOfCode(code, `the topic '${topic}' was not changed`, text)
}

function unknown(topic: string): UnknownTopicError {
  return new UnknownTopicError(`there is no topic '${topic}'`)
}

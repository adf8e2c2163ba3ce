/** Settings as DescribeConfigs and CreateTopics answer with them. */
import type { kafka } from '@kaska/protocol'
import { type BrokerConfig, brokerSettings } from '../config/broker-config.ts'
import type { Setting, SettingType } from '../config/setting.ts'
import { type Configured, topicSettings, type ValueSource } from '../config/topic-settings.ts'

export type ConfigRow = kafka.DescribeConfigsResponse['results'][number]['configs'][number]

/** What a setting takes in an answer, with synonyms; with its documentation. */
export const rowBytes = 150
export const documentedRowBytes = 400

/** What the client wants of each setting. */
export interface ConfigDetails {
  /** Null, or none: all settings. */
  readonly names: readonly string[] | null
  readonly synonyms: boolean
  readonly documentation: boolean
}

/** ConfigEntry.ConfigSource of Kafka's clients. */
const sourceCodes: Readonly<Record<ValueSource, number>> = { topic: 1, broker: 4, default: 5 }

/** ConfigEntry.ConfigType. */
const typeCodes: Readonly<Record<SettingType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  long: 5,
  double: 6,
  list: 7,
}

/** The settings of a topic. Those that take only their default are read-only. */
export function topicRows({ config, defaults }: Configured, details: ConfigDetails): ConfigRow[] {
  return wanted(topicSettings, details).map((setting) => {
    const values = defaults.valuesOf(setting.name, config)
    const first = values[0]
    const source = first?.source ?? 'default'
    const synonyms = values.flatMap(({ name, text: value, source }) => {
      // A default that no setting of the broker would replace is no other setting's value.
      if (source === 'default' && setting.inherits === undefined) return []
      return [{ name, value, source: sourceCodes[source] }]
    })
    return rowOf(setting, details, {
      value: first?.value ?? null,
      readOnly: setting.only !== undefined,
      source,
      synonyms,
    })
  })
}

/** The settings of the broker, which are all read at its start. */
export function brokerRows({ given }: BrokerConfig, details: ConfigDetails): ConfigRow[] {
  return wanted(brokerSettings, details).map((setting) => {
    const { name, default: initial } = setting
    const set = given.get(name)
    const synonyms: ConfigRow['synonyms'] = []
    if (set !== undefined) synonyms.push({ name, value: set, source: sourceCodes.broker })
    if (initial !== undefined) synonyms.push({ name, value: initial, source: sourceCodes.default })
    return rowOf(setting, details, {
      value: set ?? initial ?? null,
      readOnly: true,
      source: set === undefined ? 'default' : 'broker',
      synonyms,
    })
  })
}

function wanted<S extends Setting>(settings: readonly S[], { names }: ConfigDetails): readonly S[] {
  if (names === null || names.length === 0) return settings
  const set = new Set(names)
  return settings.filter(({ name }) => set.has(name))
}

function rowOf(
  { name, type, doc }: Setting,
  details: ConfigDetails,
  found: {
    readonly value: string | null
    readonly readOnly: boolean
    readonly source: ValueSource
    readonly synonyms: ConfigRow['synonyms']
  },
): ConfigRow {
  return {
    name,
    value: found.value,
    readOnly: found.readOnly,
    isDefault: found.source === 'default',
    configSource: sourceCodes[found.source],
    isSensitive: false,
    synonyms: details.synonyms ? found.synonyms : [],
    configType: typeCodes[type],
    documentation: details.documentation ? doc : null,
  }
}

/**
 * Changes of settings, as AlterConfigs and IncrementalAlterConfigs ask for them: each resource is changed
 * as a whole, or refused. Those of the broker are read at its start and cannot be changed.
 */
import { kafka } from '@kaska/protocol'
import { checkTopicConfig, type TopicConfig } from '../config/topic-settings.ts'
import { checkBroker, resourceTypes } from './32-describe-configs.ts'
import { forEachAtOnce, repeated } from './at-once.ts'
import type { KafkaContext } from './handler.ts'
import { Refusal, refusedRow } from './refusal.ts'
import { findTopic } from './topics.ts'

const { errorCode } = kafka

/** A resource to change. */
export interface ChangedResource {
  readonly resourceType: number
  readonly resourceName: string
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

type Row = Partial<kafka.AlterConfigsResponse['responses'][number]>

/** Changes each resource by what `change` makes of its settings. What that throws is its answer. */
export async function changeConfigs<R extends ChangedResource>(
  context: KafkaContext,
  { resources, validateOnly }: { resources: readonly R[]; validateOnly: boolean },
  change: (resource: R, configured: TopicConfig, initial: (name: string) => string) => TopicConfig,
): Promise<Row[]> {
  const { store, clock } = context.broker
  const twice = repeated(resources.map(keyOf))
  return await forEachAtOnce(resources, clock, async (resource) => {
    const { resourceType, resourceName, configs } = resource
    const row = { resourceType, resourceName }
    try {
      if (twice.has(keyOf(resource))) throw invalid('the request names the resource more than once')
      if (repeated(configs.map(({ name }) => name)).size > 0) {
        throw invalid('the request names a setting more than once')
      }
      if (resourceType !== resourceTypes.topic) {
        checkBroker(context, resourceType, resourceName)
        refuseBroker(configs)
        return row
      }
      const topic = findTopic(context, { name: resourceName, id: undefined })
      const found = topic === undefined ? undefined : store.configOf(topic.id)
      if (found === undefined) {
        throw new Refusal(
          errorCode.UNKNOWN_TOPIC_OR_PARTITION,
          `there is no topic '${resourceName}'`,
        )
      }
      const changed = (config: TopicConfig): TopicConfig =>
        checkTopicConfig(change(resource, config, (name) => found.defaults.valueOf(name)))
      if (validateOnly) changed(found.config)
      else await store.alterTopic(resourceName, changed, context.request)
      return row
    } catch (error) {
      return { ...row, ...refusedRow(error) }
    }
  })
}

/** The value that a change sets, as it is kept. Throws Refusal. */
export function valueToSet(name: string, value: string | null): string {
  if (value === null) throw invalid(`${name} needs a value`)
  return value.trim()
}

export function invalid(message: string): Refusal {
  return new Refusal(errorCode.INVALID_REQUEST, message)
}

function refuseBroker(configs: ChangedResource['configs']): void {
  if (configs.length === 0) return
  const names = configs.map(({ name }) => name).join(', ')
  throw invalid(`${names.slice(0, 200)}: the broker's settings are read at its start (--config)`)
}

function keyOf({ resourceType, resourceName }: ChangedResource): string {
  return `${resourceType} ${resourceName}`
}

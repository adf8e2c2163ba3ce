/**
 * DescribeConfigs (key 32), versions 0 to 4: the settings of topics and of this broker, with their
 * defaults. 1: where a value comes from, and what would count without it. 3: types and documentation.
 *
 * An answer may be many times as long as its request: it is made in slices, its memory is reserved, and
 * who asks for more than is free is asked to come again.
 */
import { kafka } from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import { AnswerMemory } from './answer-memory.ts'
import {
  brokerRows,
  type ConfigDetails,
  type ConfigRow,
  documentedRowBytes,
  rowBytes,
  topicRows,
} from './config-rows.ts'
import { handler, type KafkaContext } from './handler.ts'
import { Refusal, refusedRow } from './refusal.ts'
import { findTopic, nameFault } from './topics.ts'

const { errorCode } = kafka

/** Of Kafka's resource types those that are here. */
export const resourceTypes = { topic: 2, broker: 4 } as const

type Wanted = kafka.DescribeConfigsRequest['resources'][number]
export const describeConfigs = handler({
  key: 32,
  versions: '0-4',
  request: kafka.describeConfigsRequest,
  response: kafka.describeConfigsResponse,
  handle: async (context, request, version) => {
    const { resources, includeSynonyms, includeDocumentation } = request
    const slices = new Slices(context.broker.clock)
    const memory = new AnswerMemory(context)
    const results = new kafka.ElementsEncoder(kafka.describeConfigsResponse, 'results', version)
    for (const wanted of resources) {
      const { resourceType, resourceName, configurationKeys } = wanted
      const details: ConfigDetails = {
        names: configurationKeys,
        synonyms: includeSynonyms,
        documentation: includeDocumentation,
      }
      const row = { resourceType, resourceName }
      try {
        const configs = rowsOf(context, wanted, details)
        memory.take(configs.length * (includeDocumentation ? documentedRowBytes : rowBytes))
        results.add({ ...row, configs })
      } catch (error) {
        results.add({ ...row, ...refusedRow(error) })
      }
      if (slices.isDue) await slices.pause()
    }
    return { results: results.finish() }
  },
})

/** Throws Refusal. */
function rowsOf(
  context: KafkaContext,
  { resourceType, resourceName: name }: Wanted,
  details: ConfigDetails,
): ConfigRow[] {
  const { store, config } = context.broker
  if (resourceType === resourceTypes.topic) {
    const fault = nameFault(name)
    if (fault !== undefined) throw new Refusal(errorCode.INVALID_TOPIC_EXCEPTION, fault)
    const topic = findTopic(context, { name, id: undefined })
    const configured = topic === undefined ? undefined : store.configOf(topic.id)
    if (configured !== undefined) return topicRows(configured, details)
    throw new Refusal(errorCode.UNKNOWN_TOPIC_OR_PARTITION, `there is no topic '${name}'`)
  }
  checkBroker(context, resourceType, name)
  // Without a name: what is set for all brokers while they run, which is nothing.
  return name === '' ? [] : brokerRows(config, details)
}

/** Throws Refusal unless it is this broker, or, without a name, all brokers. */
export function checkBroker(
  { broker }: KafkaContext,
  resourceType: number,
  resourceName: string,
): void {
  if (resourceType !== resourceTypes.broker) {
    throw new Refusal(
      errorCode.INVALID_REQUEST,
      `topics (2) and brokers (4) have settings here, not resources of type ${resourceType}`,
    )
  }
  const { nodeId } = broker.identity
  if (resourceName === '' || resourceName === String(nodeId)) return
  throw new Refusal(errorCode.INVALID_REQUEST, `this is broker ${nodeId}, not '${resourceName}'`)
}

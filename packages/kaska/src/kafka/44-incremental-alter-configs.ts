/**
 * IncrementalAlterConfigs (key 44), versions 0 and 1: sets single settings of a topic, deletes them (then
 * the default counts again), and adds to or takes from those that are lists.
 */
import { kafka } from '@kaska/protocol'
import { elementsOf } from '../config/setting.ts'
import { type TopicConfig, topicSetting, unknownTopicSetting } from '../config/topic-settings.ts'
import { type ChangedResource, changeConfigs, invalid, valueToSet } from './config-changes.ts'
import { handler } from './handler.ts'
import { Refusal } from './refusal.ts'

/** AlterConfigOp.OpType of Kafka's clients. */
const operations = { set: 0, delete: 1, append: 2, subtract: 3 } as const

type Change = kafka.IncrementalAlterConfigsRequest['resources'][number]['configs'][number]

export const incrementalAlterConfigs = handler({
  key: 44,
  versions: '0-1',
  request: kafka.incrementalAlterConfigsRequest,
  response: kafka.incrementalAlterConfigsResponse,
  handle: async (context, request) => ({
    responses: await changeConfigs(
      context,
      request,
      ({ configs }: ChangedResource & { configs: readonly Change[] }, current, initial) => {
        const changed = new Map(current)
        for (const change of configs) apply(change, changed, initial)
        return changed
      },
    ),
  }),
})

function apply(
  { name, value, configOperation }: Change,
  config: Map<string, string>,
  initial: (name: string) => string,
): void {
  switch (configOperation) {
    case operations.set:
      config.set(name, valueToSet(name, value))
      return
    case operations.delete:
      // One that there is not has no value, which is what is asked for.
      config.delete(name)
      return
    case operations.append:
    case operations.subtract: {
      const given = elementsOf(valueToSet(name, value))
      const before = elementsOf(listOf(name, config, initial))
      const isAppend = configOperation === operations.append
      const after = isAppend
        ? [...before, ...given.filter((element) => !before.includes(element))]
        : before.filter((element) => !given.includes(element))
      config.set(name, after.join(','))
      return
    }
    default:
      throw invalid(`${configOperation} is no operation on a setting`)
  }
}

/** The value that counts of a setting that is a list. Throws Refusal, InvalidArgumentError. */
function listOf(name: string, config: TopicConfig, initial: (name: string) => string): string {
  const setting = topicSetting(name)
  if (setting === undefined) throw unknownTopicSetting(name)
  if (setting.type !== 'list') {
    throw new Refusal(kafka.errorCode.INVALID_CONFIG, `${name} is no list, to add to or take from`)
  }
  return config.get(name) ?? initial(name)
}

/**
 * The topics of a mirror: those that are missing at the target are made there, with the partitions and
 * the settings that they have at the source.
 */
import {
  type Engine,
  type TopicDescription,
  TopicExistsError,
  type TopicInfo,
  type TopicName,
  topicNameOf,
  UnknownTopicError,
} from '@kaska/protocol'
import { MirrorError, type Patience, patiently } from './asking.ts'
import type { MirrorTopic } from './mirror-partition.ts'

/** Decide what is kept and taken: copied even where the source has them from its own defaults. */
const alwaysCopied: readonly string[] = [
  'cleanup.policy',
  'max.message.bytes',
  'message.timestamp.after.max.ms',
  'retention.bytes',
  'retention.ms',
]
/** The target has to keep the messages' timestamps, and so never gives its own. */
const timestampType = 'message.timestamp.type'
const batchBytesMost = 4 << 20
const maxMessageBytesDefault = 1_048_588
/** A batch's header, with some to spare. */
const batchOverhead = 128

export interface TopicSides {
  readonly source: Engine
  readonly target: Engine
  /** Settings that the target's topics get instead; an empty value leaves one out. */
  readonly settings: ReadonlyMap<string, string>
}

/** All topics of an engine that a filter lets through. */
export async function listTopics(
  engine: Engine,
  isWanted: (name: string) => boolean,
  patience: Patience,
): Promise<TopicInfo[]> {
  const found: TopicInfo[] = []
  for (let cursor: number | undefined = 0; cursor !== undefined; ) {
    const from: number = cursor
    const page = await patiently(patience, (context) => engine.listTopics(from, context))
    for (const topic of page.topics) if (isWanted(topic.name)) found.push(topic)
    cursor = page.next
  }
  return found
}

/**
 * Finds the topic at the target, or makes it. Rejects with MirrorError where it is no copy of the
 * source's, and with what the target says (InvalidTopicError, InvalidArgumentError, ...).
 */
export async function prepareTopic(
  info: TopicInfo,
  sides: TopicSides,
  patience: Patience,
): Promise<MirrorTopic> {
  const name = topicNameOf(info.name)
  // An engine may know a topic by its id only once it was asked for its name.
  const [original] = await patiently(patience, (context) => sides.source.resolve([name], context))
  if (original?.id !== info.id) throw new MirrorError('it is being deleted at the source')
  let found = await describe(sides.target, name, patience)
  if (found === undefined) {
    await create(name, info, sides, patience)
    found = await describe(sides.target, name, patience)
    if (found === undefined) throw new MirrorError('it was made at the target, and is not there')
  }
  if (found.id === info.id) {
    throw new MirrorError('source and target are the same topic')
  }
  if (found.partitions !== info.partitions) {
    throw new MirrorError(
      `it has ${info.partitions} partitions at the source and ${found.partitions} at the target; keys would change their partition`,
    )
  }
  const maxText = found.config.find((entry) => entry.name === 'max.message.bytes')?.value
  const max = maxText === undefined ? maxMessageBytesDefault : Number(maxText)
  const batchBytesMax = Math.max(1, Math.min(max - batchOverhead, batchBytesMost))
  return { name: info.name, source: info.id, target: found.id, batchBytesMax }
}

async function describe(
  engine: Engine,
  name: TopicName,
  patience: Patience,
): Promise<TopicDescription | undefined> {
  const [info] = await patiently(patience, (context) => engine.resolve([name], context))
  if (info === undefined) return undefined
  try {
    return await patiently(patience, (context) => engine.describeTopic(name, context))
  } catch (error) {
    if (error instanceof UnknownTopicError) return undefined
    throw error
  }
}

async function create(
  name: TopicName,
  info: TopicInfo,
  { source, target, settings }: TopicSides,
  patience: Patience,
): Promise<void> {
  const description = await patiently(patience, (context) => source.describeTopic(name, context))
  const config = settingsFor(description)
  if (description.config.some((entry) => entry.name === timestampType && isAppendTime(entry))) {
    patience.report(
      `${info.name}: ${timestampType} is LogAppendTime at the source; the target keeps CreateTime while messages are mirrored with their timestamps`,
    )
  }
  for (const [setting, value] of settings) {
    if (value === '') config.delete(setting)
    else config.set(setting, value)
  }
  try {
    await patiently(patience, (context) =>
      target.createTopic({ name, partitions: info.partitions, config }, context),
    )
  } catch (error) {
    // An earlier try may have made it, whose answer was lost.
    if (!(error instanceof TopicExistsError)) throw error
  }
}

/** The settings that a copy of the topic is made with. */
export function settingsFor(description: TopicDescription): Map<string, string> {
  const config = new Map<string, string>()
  for (const { name, value, isDefault } of description.config) {
    if (name === timestampType) continue
    if (!isDefault || alwaysCopied.includes(name)) config.set(name, value)
  }
  return config
}

function isAppendTime({ value }: { readonly value: string }): boolean {
  return value === 'LogAppendTime'
}

/** What a broker and a gateway are told alike when they are started. */
import { type Engine, InvalidArgumentError, TopicExistsError, topicNameOf } from '@kaska/protocol'

/** A topic that is to exist when the broker has started. */
export interface TopicOption {
  readonly name: string
  /** 1 unless said. */
  readonly partitions?: number
  readonly config?: Readonly<Record<string, string>>
}

/** What all parts may have in memory together, unless said. */
const memoryBytesMaxDefault = 256 * 1024 * 1024
const memoryBytesMaxMin = 16 * 1024 * 1024

/** Throws InvalidArgumentError. */
export function checkMemory(bytes: number = memoryBytesMaxDefault): number {
  if (Number.isSafeInteger(bytes) && bytes >= memoryBytesMaxMin) return bytes
  throw new InvalidArgumentError(
    `memoryBytesMax is at least ${memoryBytesMaxMin} (16 MiB), not ${bytes}`,
  )
}

/** Creates those that are not there yet. */
export async function createTopics(
  engine: Engine,
  topics: readonly TopicOption[] = [],
): Promise<void> {
  const context = { principal: null, clientId: '', address: 'in-process' }
  for (const { name, partitions = 1, config = {} } of topics) {
    const request = { name: topicNameOf(name), partitions, config: new Map(Object.entries(config)) }
    try {
      await engine.createTopic(request, context)
    } catch (error) {
      // It is there since an earlier start, with the settings that it was given then.
      if (!(error instanceof TopicExistsError)) throw error
    }
  }
}

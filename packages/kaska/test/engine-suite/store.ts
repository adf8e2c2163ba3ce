/** An engine with the shortest words for what most tests of its contract do. */
import assert from 'node:assert/strict'
import {
  type Engine,
  type KaskaErrorClass,
  type MessageBatch,
  type PollPart,
  type PollResult,
  type ProducerIdentity,
  type SendPartResult,
  type TopicInfo,
  topicNameOf,
} from '@kaska/protocol'
import { batchOf, context, messagesOf } from '../batches.ts'

export class Store {
  readonly engine: Engine
  #created = 0

  constructor(engine: Engine) {
    this.engine = engine
  }

  create(partitions = 1, config: Record<string, string> = {}, name?: string): Promise<TopicInfo> {
    const request = {
      name: topicNameOf(name ?? `topic-${++this.#created}`),
      partitions,
      config: new Map(Object.entries(config)),
    }
    return this.engine.createTopic(request, context)
  }

  delete(topic: TopicInfo): Promise<void> {
    return this.engine.deleteTopic(topicNameOf(topic.name), context)
  }

  /** The answer to a send of one part. */
  async answer(
    topic: { readonly id: string },
    batch: MessageBatch,
    partition = 0,
    producer?: ProducerIdentity,
    baseSequence = -1,
  ): Promise<SendPartResult> {
    const parts = [{ topic: topic.id, partition, baseSequence, batch }]
    const [result] = await this.engine.send({ producer, parts }, context)
    assert.ok(result !== undefined, 'a send of one part has one result')
    return result
  }

  /** Sends values, and returns the offset of the first. */
  async send(topic: TopicInfo, values: readonly string[], partition = 0): Promise<number> {
    return offsetOf(await this.answer(topic, batchOf(values), partition))
  }

  poll(parts: readonly PollPart[], waitMs = 0, bytesMax = 1024 * 1024): Promise<PollResult> {
    return this.engine.poll({ parts, waitMs, bytesMax }, context)
  }

  /** The values from an offset on. */
  async values(topic: TopicInfo, offset = 0, partition = 0): Promise<(string | null)[]> {
    const result = await this.poll([{ topic: topic.id, partition, offset }])
    const messages = messagesOf(result.batches)
    result.release()
    assert.deepEqual(result.failures, [])
    return messages.filter((message) => message.offset >= offset).map(({ value }) => value)
  }
}

/** Where the batch lies; throws what refused it. */
export function offsetOf(result: SendPartResult): number {
  if (result.error !== undefined) throw result.error
  return result.baseOffset
}

/** Is it an error of this class, over whatever lies between us and the engine? */
export function isA(kind: KaskaErrorClass) {
  return (error: unknown): true => {
    assert.ok(error instanceof Error, `${error} is no error`)
    assert.equal(error.name, kind.errorName)
    return true
  }
}

export function refusedWith(result: SendPartResult, kind: KaskaErrorClass): void {
  assert.equal(result.error?.name, kind.errorName)
}

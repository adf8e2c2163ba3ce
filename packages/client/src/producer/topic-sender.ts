/** What is on its way into one topic: which partition a message goes to. */
import {
  partitionOfKey,
  type TopicId,
  type TopicInfo,
  UnknownPartitionError,
} from '@kaska/protocol'
import type { OutgoingMessage } from '../message.ts'
import type { OutgoingBatch } from './outgoing-batch.ts'
import { PartitionSender } from './partition-sender.ts'

export class TopicSender {
  readonly name: string
  readonly id: TopicId
  readonly partitions: PartitionSender[]
  /** Was the topic deleted? Its senders wait until no answer is awaited. */
  isGone = false
  /** Nobody waits for the batch any more. */
  readonly forget: (batch: OutgoingBatch) => void
  #sticky: number

  /** Messages without a key go to the partition `sticky` first, or to what is left of it. */
  constructor(
    { name, id, partitions }: TopicInfo,
    sticky: number,
    forget: (batch: OutgoingBatch) => void,
  ) {
    this.forget = forget
    this.name = name
    this.id = id
    this.partitions = Array.from(
      { length: partitions },
      (_, partition) => new PartitionSender(this, partition),
    )
    this.#sticky = sticky % partitions
  }

  /** By the message's own partition, its key, or in turns; undefined where it is not known. */
  senderOf(message: OutgoingMessage): PartitionSender | undefined {
    const { partitions } = this
    const { key, partition } = message
    if (partition !== -1) return partitions[partition]
    return partitions[key === null ? this.#sticky : partitionOfKey(key, partitions.length)]
  }

  /** What is wrong with a message that no partition takes. */
  noPartition({ partition }: OutgoingMessage): UnknownPartitionError {
    const count = this.partitions.length
    return new UnknownPartitionError(
      `the topic '${this.name}' has ${count} partitions, there is no ${partition}`,
    )
  }

  /** The topic has so many partitions by now. */
  grow(partitions: number): void {
    while (this.partitions.length < partitions) {
      this.partitions.push(new PartitionSender(this, this.partitions.length))
    }
  }

  /** A batch has left: messages without a key go to another partition from now on. */
  turn(partition: number): void {
    if (partition !== this.#sticky) return
    this.#sticky = (this.#sticky + 1) % this.partitions.length
  }
}

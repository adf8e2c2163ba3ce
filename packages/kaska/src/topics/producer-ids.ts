/**
 * Producer ids: never given twice, over restarts as well. They are reserved in blocks in the state log
 * 'producers', whose entries are one varint: the first id that is not reserved.
 */
import { ChunkReader, type Chunks, ChunkWriter, type ProducerIdentity } from '@kaska/protocol'
import type { StateLog } from '../log/state-log.ts'
import type { StateDirectory } from './topic-store.ts'

const blockSize = 1000

export class ProducerIds {
  #log!: StateLog
  #next = 0
  #reservedEnd = 0
  #reserving: Promise<void> | undefined = undefined

  private constructor() {}

  static async open(directory: StateDirectory): Promise<ProducerIds> {
    const ids = new ProducerIds()
    let end = 0
    ids.#log = await directory.openState('producers', {
      apply: (entry) => {
        end = Math.max(end, new ChunkReader(entry).varint())
      },
      entries: () => [encodeEnd(end)],
    })
    // What is left of a block that an earlier start reserved may have been given.
    ids.#next = end
    ids.#reservedEnd = end
    return ids
  }

  /** A new id, which is durable. Rejects with DiskFullError. */
  async next(): Promise<ProducerIdentity> {
    while (this.#next === this.#reservedEnd) {
      this.#reserving ??= this.#reserve()
      await this.#reserving
    }
    return { producerId: this.#next++, producerEpoch: 0 }
  }

  async #reserve(): Promise<void> {
    try {
      const end = this.#reservedEnd + blockSize
      await this.#log.append([encodeEnd(end)]).acknowledged
      this.#reservedEnd = end
    } finally {
      this.#reserving = undefined
    }
  }
}

function encodeEnd(end: number): Chunks {
  const writer = new ChunkWriter(8)
  writer.varint(end)
  return writer.finish()
}

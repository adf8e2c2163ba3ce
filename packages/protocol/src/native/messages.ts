/** The operations that move messages: send and poll, and the look-ups of offsets. */
import type { ChunkReader, ChunkWriter } from '../bytes.ts'
import type { OffsetBounds, PolledBatch, SendPartResult } from '../engine.ts'
import { type KaskaError, ProtocolError } from '../errors.ts'
import {
  type PolledBatchFrame,
  readPolledBatch,
  readSendPart,
  type SendPartFrame,
  writePolledBatch,
  writeSendPart,
} from './batch.ts'
import { readError, writeError } from './frame.ts'
import { statusDetailed, statusOk } from './operations.ts'

/** Request `send`: count, then the parts. The producer is the connection's (`initProducer`). */
export function writeSendRequest(writer: ChunkWriter, parts: readonly SendPartFrame[]): void {
  writer.varint(parts.length)
  for (const part of parts) writeSendPart(writer, part)
}

export function readSendRequest(reader: ChunkReader): SendPartFrame[] {
  return readList(reader, readSendPart)
}

/** The status that an answer to `send` takes: 0 where every part went in with its own timestamps. */
export function sendStatus(results: readonly SendPartResult[]): number {
  const plain = results.every(
    (result) => result.error === undefined && result.appendTimestamp === undefined,
  )
  return plain ? statusOk : statusDetailed
}

/**
 * Answer to `send`, in the order of the parts. Status 0: each part's base offset. Status 1: per part
 * 0 and the offset, or 1, the offset and the timestamp that the broker gave, or an error.
 */
export function writeSendResponse(
  writer: ChunkWriter,
  results: readonly SendPartResult[],
  status: number,
): void {
  for (const result of results) {
    if (result.error !== undefined) {
      writeError(writer, result.error)
      continue
    }
    if (status === statusDetailed) writer.varint(result.appendTimestamp === undefined ? 0 : 1)
    writer.varint(result.baseOffset)
    if (result.appendTimestamp !== undefined) writer.zigzag(result.appendTimestamp)
  }
}

export function readSendResponse(
  reader: ChunkReader,
  partCount: number,
  status: number,
  readFailure: (reader: ChunkReader, code: number) => KaskaError,
): SendPartResult[] {
  const results: SendPartResult[] = []
  for (let index = 0; index < partCount; index++) {
    const code = status === statusDetailed ? reader.varint() : statusOk
    if (code > statusDetailed) {
      results.push({ error: readFailure(reader, code) })
      continue
    }
    const baseOffset = reader.varint()
    const appendTimestamp = code === statusDetailed ? reader.zigzag() : undefined
    results.push({ baseOffset, appendTimestamp })
  }
  return results
}

export interface PollPartFrame {
  readonly ref: number
  readonly partition: number
  readonly offset: number
  readonly lastEpoch?: number
}

export interface PollRequestFrame {
  readonly parts: readonly PollPartFrame[]
  readonly waitMs: number
  readonly bytesMax: number
}

/** Request `poll`: waitMs, bytesMax, count, then per part: ref, flags (bit 0: partition follows,
 * bit 1: lastEpoch follows), [partition], offset, [lastEpoch]. */
export function writePollRequest(writer: ChunkWriter, request: PollRequestFrame): void {
  writer.varint(request.waitMs)
  writer.varint(request.bytesMax)
  writer.varint(request.parts.length)
  for (const { ref, partition, offset, lastEpoch } of request.parts) {
    writer.varint(ref)
    writer.u8((partition === 0 ? 0 : 1) | (lastEpoch === undefined ? 0 : 2))
    if (partition !== 0) writer.varint(partition)
    writer.varint(offset)
    if (lastEpoch !== undefined) writer.varint(lastEpoch)
  }
}

export function readPollRequest(reader: ChunkReader): PollRequestFrame {
  const waitMs = reader.varint()
  const bytesMax = reader.varint()
  const parts = readList(reader, (): PollPartFrame => {
    const ref = reader.varint()
    const flags = reader.u8()
    const partition = flags & 1 ? reader.varint() : 0
    const offset = reader.varint()
    return flags & 2
      ? { ref, partition, offset, lastEpoch: reader.varint() }
      : { ref, partition, offset }
  })
  return { waitMs, bytesMax, parts }
}

export interface PollFailureFrame {
  readonly ref: number
  readonly partition: number
  readonly error: KaskaError
}

/** Answer to `poll`: count and batches; then, only where there are some, count and failures, each
 * ref, partition, error. */
export function writePollResponse(
  writer: ChunkWriter,
  batches: readonly PolledBatch[],
  failures: readonly { ref: number; partition: number; error: unknown }[],
  refOf: (batch: PolledBatch) => number,
): void {
  writer.varint(batches.length)
  for (const batch of batches) writePolledBatch(writer, refOf(batch), batch)
  if (failures.length === 0) return
  writer.varint(failures.length)
  for (const { ref, partition, error } of failures) {
    writer.varint(ref)
    writer.varint(partition)
    writeError(writer, error)
  }
}

export function readPollResponse(reader: ChunkReader): {
  batches: PolledBatchFrame[]
  failures: PollFailureFrame[]
} {
  const batches = readList(reader, readPolledBatch)
  if (reader.remaining === 0) return { batches, failures: [] }
  const failures = readList(reader, () => ({
    ref: reader.varint(),
    partition: reader.varint(),
    error: readError(reader),
  }))
  return { batches, failures }
}

/** A partition, named as in all small requests: ref, partition. */
export interface PartitionFrame {
  readonly ref: number
  readonly partition: number
}

export function writePartition(writer: ChunkWriter, { ref, partition }: PartitionFrame): void {
  writer.varint(ref)
  writer.varint(partition)
}

export function readPartition(reader: ChunkReader): PartitionFrame {
  return { ref: reader.varint(), partition: reader.varint() }
}

/** Answer to `offsets`: startOffset, endOffset. */
export function writeOffsetBounds(writer: ChunkWriter, bounds: OffsetBounds): void {
  writer.varint(bounds.startOffset)
  writer.varint(bounds.endOffset)
}

export function readOffsetBounds(reader: ChunkReader): OffsetBounds {
  return { startOffset: reader.varint(), endOffset: reader.varint() }
}

/** An offset that may be missing: 0 for none, else the offset + 1. */
export function writeOptionalOffset(writer: ChunkWriter, offset: number | undefined): void {
  writer.varint(offset === undefined ? 0 : offset + 1)
}

export function readOptionalOffset(reader: ChunkReader): number | undefined {
  const value = reader.varint()
  return value === 0 ? undefined : value - 1
}

export interface CommitEntryFrame extends PartitionFrame {
  readonly offset: number
}

/** Entries of `commit`, behind the group's name: count, then ref, partition, offset. */
export function writeCommitEntries(
  writer: ChunkWriter,
  entries: readonly CommitEntryFrame[],
): void {
  writer.varint(entries.length)
  for (const entry of entries) {
    writePartition(writer, entry)
    writer.varint(entry.offset)
  }
}

export function readCommitEntries(reader: ChunkReader): CommitEntryFrame[] {
  return readList(reader, () => ({ ...readPartition(reader), offset: reader.varint() }))
}

/** A counted list. An entry has at least one byte, so a count beyond what is left is a lie and is
 * refused before anything is built. */
export function readList<T>(reader: ChunkReader, read: (reader: ChunkReader) => T): T[] {
  const count = reader.varint()
  if (count > reader.remaining) {
    throw new ProtocolError(`a list claims ${count} entries in ${reader.remaining} bytes`)
  }
  const list: T[] = []
  for (let index = 0; index < count; index++) list.push(read(reader))
  return list
}

/**
 * A batch on the native wire: a header of some 10 to 20 bytes instead of Kafka's 61 (contract 13).
 *
 *   flags        bits 0-5 are Kafka's batch attributes, bit 6: a partition follows (else it is 0),
 *                bit 7: one record (else the counts follow)
 *
 * What the other side can derive is not said: the CRC (the transport checks), the largest timestamp
 * (the broker reads every record of what it is sent), the producer (it belongs to the connection).
 */
import type { ChunkReader, ChunkWriter } from '../bytes.ts'
import type { MessageBatch, PolledBatch, SendPart } from '../engine.ts'
import { ProtocolError } from '../errors.ts'
import { logAppendTimeBit } from '../record-batch.ts'

const attributesMask = 0x3f
const partitionBit = 0x40
const singleBit = 0x80
/** Kafka's counts and offset deltas have 32 bits. */
const countMax = 0x7fffffff

/** A part of a send: the topic is the connection's number for it. */
export interface SendPartFrame extends Omit<SendPart, 'topic'> {
  readonly ref: number
}

/** ref, flags, [partition], baseSequence + 1, baseTimestamp, [recordCount], records. */
export function writeSendPart(writer: ChunkWriter, part: SendPartFrame): void {
  const { batch } = part
  writer.varint(part.ref)
  writer.u8(flagsOf(batch, part.partition))
  if (part.partition !== 0) writer.varint(part.partition)
  writer.varint(part.baseSequence + 1)
  writer.zigzag(batch.baseTimestamp)
  if (batch.recordCount !== 1) writer.varint(batch.recordCount)
  writer.varint(batch.recordsLength)
  writer.views(batch.records)
}

export function readSendPart(reader: ChunkReader): SendPartFrame {
  const ref = reader.varint()
  const flags = reader.u8()
  const partition = flags & partitionBit ? reader.varint() : 0
  const baseSequence = reader.varint() - 1
  if (baseSequence > 0x7fffffff) throw new ProtocolError('a sequence number is too large')
  const baseTimestamp = reader.zigzag()
  const recordCount = flags & singleBit ? 1 : readCount(reader)
  const recordsLength = reader.varint()
  const batch: MessageBatch = {
    attributes: flags & attributesMask,
    baseTimestamp,
    maxTimestamp: -1,
    recordCount,
    lastOffsetDelta: recordCount - 1,
    records: reader.take(recordsLength),
    recordsLength,
  }
  return { ref, partition, baseSequence, batch }
}

/** A batch of a poll's answer: the topic is the connection's number for it. */
export interface PolledBatchFrame extends Omit<PolledBatch, 'topic'> {
  readonly ref: number
}

/** ref, flags, [partition], baseOffset, leaderEpoch, timestamp, [recordCount, gap], records. */
export function writePolledBatch(writer: ChunkWriter, ref: number, batch: PolledBatch): void {
  const appendTime = (batch.attributes & logAppendTimeBit) !== 0
  writer.varint(ref)
  const single = batch.recordCount === 1 && batch.lastOffsetDelta === 0
  const partitionFlag = batch.partition === 0 ? 0 : partitionBit
  writer.u8((batch.attributes & attributesMask) | partitionFlag | (single ? singleBit : 0))
  if (batch.partition !== 0) writer.varint(batch.partition)
  writer.varint(batch.baseOffset)
  writer.varint(batch.leaderEpoch)
  // With append time the records' own timestamps do not count: the batch's one takes their place.
  writer.zigzag(appendTime ? batch.maxTimestamp : batch.baseTimestamp)
  if (!single) {
    writer.varint(batch.recordCount)
    writer.varint(batch.lastOffsetDelta + 1 - batch.recordCount)
  }
  writer.varint(batch.recordsLength)
  writer.views(batch.records)
}

export function readPolledBatch(reader: ChunkReader): PolledBatchFrame {
  const ref = reader.varint()
  const flags = reader.u8()
  const partition = flags & partitionBit ? reader.varint() : 0
  const baseOffset = reader.varint()
  const leaderEpoch = reader.varint()
  const baseTimestamp = reader.zigzag()
  const recordCount = flags & singleBit ? 1 : readCount(reader)
  const lastOffsetDelta = flags & singleBit ? 0 : readCount(reader) + recordCount - 1
  const recordsLength = reader.varint()
  const attributes = flags & attributesMask
  return {
    ref,
    partition,
    baseOffset,
    leaderEpoch,
    attributes,
    baseTimestamp,
    maxTimestamp: attributes & logAppendTimeBit ? baseTimestamp : -1,
    recordCount,
    lastOffsetDelta,
    records: reader.take(recordsLength),
    recordsLength,
  }
}

function readCount(reader: ChunkReader): number {
  const count = reader.varint()
  if (count > countMax) throw new ProtocolError('a count of records is larger than 2^31 - 1')
  return count
}

function flagsOf(batch: MessageBatch, partition: number): number {
  return (
    (batch.attributes & attributesMask) |
    (partition === 0 ? 0 : partitionBit) |
    (batch.recordCount === 1 ? singleBit : 0)
  )
}

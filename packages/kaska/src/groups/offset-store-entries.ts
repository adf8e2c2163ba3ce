/**
 * The entries of the state log 'offsets'. An entry is what became of some partitions of one group:
 *
 *   0 (varint)  1 (u8)  group (string)  time (varint)  then, until its end, for each partition:
 *     topic id (16 bytes)  partition (varint)  flags (u8), and by their bits:
 *       removed         0x01  nothing more
 *       native          0x02
 *       leader epoch    0x04  varint
 *       metadata        0x08  string
 *       expires at      0x10  varint
 *       another time    0x20  the commit's time minus that of the entry, zigzag
 *       negative        0x40  the offset is that below zero
 *     offset (varint), then what the flags tell of, in the order of the bits
 *
 * Entries of an earlier form begin with the group's name, which was never empty there: group (string),
 * then until the end topic id, partition, offset. All of those were committed natively.
 */
import {
  ChunkReader,
  type Chunks,
  ChunkWriter,
  DataDirectoryError,
  decodeUtf8,
  type TopicId,
  topicIdBytes,
  topicIdOf,
  topicIdToBytes,
} from '@kaska/protocol'
import type { CommittedOffset } from '../topics/committed-offsets.ts'

/** What became of a partition; undefined: nothing is committed there any more. */
export interface OffsetChange {
  readonly topic: TopicId
  readonly partition: number
  readonly value: CommittedOffset | undefined
}

const form = 1
const removedBit = 0x01
const nativeBit = 0x02
const leaderEpochBit = 0x04
const metadataBit = 0x08
const expiresAtBit = 0x10
const timeBit = 0x20
const negativeBit = 0x40

export function encodeOffsetEntry(group: string, changes: readonly OffsetChange[]): Chunks {
  const writer = new ChunkWriter(64 + 28 * changes.length)
  writer.varint(0)
  writer.u8(form)
  writer.string(group)
  const time = Math.max(
    0,
    changes.find(({ value }) => value !== undefined)?.value?.committedAt ?? 0,
  )
  writer.varint(time)
  for (const { topic, partition, value } of changes) {
    writer.copy(topicIdToBytes(topic) as Uint8Array)
    writer.varint(partition)
    if (value === undefined) writer.u8(removedBit)
    else writeValue(writer, value, time)
  }
  return writer.finish()
}

function writeValue(writer: ChunkWriter, value: CommittedOffset, time: number): void {
  const { offset, leaderEpoch, metadata, committedAt, isNative, expiresAt } = value
  writer.u8(
    (isNative ? nativeBit : 0) |
      (leaderEpoch >= 0 ? leaderEpochBit : 0) |
      (metadata !== '' ? metadataBit : 0) |
      (expiresAt !== undefined ? expiresAtBit : 0) |
      (committedAt !== time ? timeBit : 0) |
      (offset < 0 ? negativeBit : 0),
  )
  writer.varint(Math.abs(offset))
  if (leaderEpoch >= 0) writer.varint(leaderEpoch)
  if (metadata !== '') writer.string(metadata)
  if (expiresAt !== undefined) writer.varint(Math.max(0, expiresAt))
  if (committedAt !== time) writer.zigzag(committedAt - time)
}

/** Calls back for each partition of the entry, in its order. */
export function decodeOffsetEntry(
  entry: Chunks,
  apply: (group: string, change: OffsetChange) => void,
): void {
  const reader = new ChunkReader(entry)
  const name = reader.field()
  if (name.length > 0) {
    decodeEarlierForm(decodeUtf8(name, "a group's name"), reader, apply)
    return
  }
  const found = reader.u8()
  if (found !== form) {
    throw new DataDirectoryError(`an entry of the committed offsets has the unknown form ${found}`)
  }
  const group = decodeUtf8(reader.field(), "a group's name")
  const time = reader.varint()
  while (reader.remaining > 0) {
    const topic = topicIdOf(reader.bytes(topicIdBytes))
    const partition = reader.varint()
    apply(group, { topic, partition, value: readValue(reader, time) })
  }
}

function readValue(reader: ChunkReader, time: number): CommittedOffset | undefined {
  const flags = reader.u8()
  if (flags & removedBit) return undefined
  const offset = reader.varint()
  return {
    offset: flags & negativeBit ? -offset : offset,
    leaderEpoch: flags & leaderEpochBit ? reader.varint() : -1,
    metadata: flags & metadataBit ? decodeUtf8(reader.field(), 'metadata') : '',
    isNative: (flags & nativeBit) !== 0,
    expiresAt: flags & expiresAtBit ? reader.varint() : undefined,
    committedAt: flags & timeBit ? time + reader.zigzag() : time,
  }
}

function decodeEarlierForm(
  group: string,
  reader: ChunkReader,
  apply: (group: string, change: OffsetChange) => void,
): void {
  while (reader.remaining > 0) {
    const topic = topicIdOf(reader.bytes(topicIdBytes))
    const partition = reader.varint()
    apply(group, { topic, partition, value: nativeOffset(reader.varint(), 0) })
  }
}

/** What a native client commits: an offset, and nothing else. */
export function nativeOffset(offset: number, committedAt: number): CommittedOffset {
  return {
    offset,
    leaderEpoch: -1,
    metadata: '',
    isNative: true,
    expiresAt: undefined,
    committedAt,
  }
}

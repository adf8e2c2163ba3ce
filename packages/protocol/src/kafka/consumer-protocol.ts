/**
 * What the members of a consumer group say to each other through JoinGroup's metadata and SyncGroup's
 * assignments, when the protocol's type is `consumer`. A broker passes these bytes on as they are; it
 * reads them to know what a group is subscribed to.
 *
 * Each begins with an int16 version, 0 to 3; a newer version keeps the fields of those before it, so it
 * is read as the newest one known. 1: what a member owns. 2: its generation. 3: its rack.
 */
import { ChunkReader, type Chunks, ChunkWriter } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import {
  array,
  bytes,
  type Decoded,
  type Fields,
  type Input,
  int32,
  list,
  type Message,
  message,
  string,
  type Values,
} from './schema.ts'
import * as wire from './wire.ts'

/** These messages have no API key. */
const noKey = -1

export const consumerProtocolSubscription = message({
  name: 'ConsumerProtocolSubscription',
  key: noKey,
  versions: '0-3',
  fields: {
    topics: list(string()),
    userData: bytes({ nullable: '0+', default: null }),
    ownedPartitions: array(
      'TopicPartition',
      { topic: string(), partitions: list(int32()) },
      { versions: '1+' },
    ),
    generationId: int32({ versions: '2+', default: -1 }),
    rackId: string({ versions: '3+', nullable: '3+', default: null }),
  },
})
export type ConsumerProtocolSubscription = Decoded<typeof consumerProtocolSubscription>

export const consumerProtocolAssignment = message({
  name: 'ConsumerProtocolAssignment',
  key: noKey,
  versions: '0-3',
  fields: {
    assignedPartitions: array('TopicPartition', { topic: string(), partitions: list(int32()) }),
    userData: bytes({ nullable: '0+', default: null }),
  },
})
export type ConsumerProtocolAssignment = Decoded<typeof consumerProtocolAssignment>

/** Reads one of them with its version. Throws ProtocolError. */
export function readVersioned<F extends Fields>(type: Message<F>, data: Chunks): Values<F> {
  const reader = new ChunkReader(data)
  const version = wire.readInt16(reader)
  if (version < type.versions.min) throw new ProtocolError(`${type.name} has no version ${version}`)
  return type.read(reader, Math.min(version, type.versions.max))
}

/** What a member of a group of consumers was assigned; nothing where that cannot be read. */
export function assignedPartitionsOf(
  assignment: Uint8Array,
): ConsumerProtocolAssignment['assignedPartitions'] {
  if (assignment.length === 0) return []
  try {
    return readVersioned(consumerProtocolAssignment, [assignment]).assignedPartitions
  } catch (error) {
    // Its members understand each other, or do not: that is their affair.
    if (error instanceof ProtocolError) return []
    throw error
  }
}

/** Writes one of them behind its version. For tests and tools. */
export function writeVersioned<F extends Fields>(
  type: Message<F>,
  value: Input<F>,
  version: number,
): Chunks {
  const writer = new ChunkWriter()
  wire.writeInt16(writer, version)
  type.write(writer, value, version)
  return writer.finish()
}

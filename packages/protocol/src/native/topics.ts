/** The operations on topics, and those on the connection itself. */
import { type ChunkReader, type ChunkWriter, chunksLength } from '../bytes.ts'
import type {
  Capabilities,
  CreateTopicRequest,
  ProducerIdentity,
  TopicConfigEntry,
  TopicInfo,
  TopicPage,
} from '../engine.ts'
import { InvalidArgumentError, ProtocolError } from '../errors.ts'
import { noTopicId, topicIdBytes, topicIdOf, topicIdToBytes } from '../topic-id.ts'
import { decodeUtf8, parseTopicName, type TopicName } from '../topic-name.ts'
import { readList } from './messages.ts'

/** What the broker says of itself when a client has introduced itself. */
export interface BrokerIdentity {
  /** Its program and version: `kaska 0.1.0`. */
  readonly software: string
  readonly clusterId: string
  /** The longest frame that it takes, in bytes behind the length. */
  readonly frameBytesMax: number
  /** What the engine behind it promises: to the client it is `native`, or `kafka` where that is a cluster. */
  readonly capabilities: Capabilities
}

/** Flags of the answer to `identify`; all of them unset is a broker that keeps the messages itself. */
const isCluster = 1
const mayRepeat = 2

/** Request `identify`: the client's id. */
export function writeIdentify(writer: ChunkWriter, clientId: string): void {
  writer.string(clientId)
}

export function readIdentify(reader: ChunkReader): string {
  return decodeUtf8(reader.field(), 'the client id')
}

export function writeBrokerIdentity(writer: ChunkWriter, identity: BrokerIdentity): void {
  writer.string(identity.software)
  writer.string(identity.clusterId)
  writer.varint(identity.frameBytesMax)
  const { kind, retriesSurviveCrash } = identity.capabilities
  writer.varint((kind === 'kafka' ? isCluster : 0) | (retriesSurviveCrash ? 0 : mayRepeat))
}

export function readBrokerIdentity(reader: ChunkReader): BrokerIdentity {
  const software = decodeUtf8(reader.field(), "the broker's name")
  const clusterId = decodeUtf8(reader.field(), 'the cluster id')
  const frameBytesMax = reader.varint()
  const flags = reader.remaining === 0 ? 0 : reader.varint()
  const capabilities: Capabilities = {
    kind: (flags & isCluster) === 0 ? 'native' : 'kafka',
    retriesSurviveCrash: (flags & mayRepeat) === 0,
  }
  return { software, clusterId, frameBytesMax, capabilities }
}

/** A name: its length and its bytes. */
export function writeTopicName(writer: ChunkWriter, name: TopicName): void {
  writer.varint(chunksLength(name.bytes))
  writer.views(name.bytes)
}

export function readTopicName(reader: ChunkReader): TopicName {
  return parseTopicName(reader.field())
}

/** Request `createTopic`: id (16 bytes, zeros: the broker chooses), partitions, configuration
 * (count, then name and value), name. */
export function writeCreateTopic(writer: ChunkWriter, request: CreateTopicRequest): void {
  writeTopicId(writer, request.id ?? noTopicId)
  writer.varint(request.partitions)
  writer.varint(request.config.size)
  for (const [name, value] of request.config) {
    writer.string(name)
    writer.string(value)
  }
  writeTopicName(writer, request.name)
}

export function readCreateTopic(reader: ChunkReader): CreateTopicRequest {
  const id = readTopicId(reader)
  const partitions = reader.varint()
  const config = new Map(
    readList(reader, () => [
      decodeUtf8(reader.field(), 'a setting'),
      decodeUtf8(reader.field(), "a setting's value"),
    ]),
  )
  const name = readTopicName(reader)
  return { name, partitions, config, ...(id === noTopicId ? {} : { id }) }
}

/** A topic: id (16 bytes), partitions, name. */
export function writeTopicInfo(writer: ChunkWriter, topic: TopicInfo): void {
  writeTopicId(writer, topic.id)
  writer.varint(topic.partitions)
  writer.string(topic.name)
}

export function readTopicInfo(reader: ChunkReader): TopicInfo {
  const id = readTopicId(reader)
  const partitions = reader.varint()
  return { id, partitions, name: readTopicName(reader).text }
}

/** Answer to `listTopics`: next cursor + 1 (0: no more), count, topics. */
export function writeTopicPage(writer: ChunkWriter, page: TopicPage): void {
  writer.varint(page.next === undefined ? 0 : page.next + 1)
  writer.varint(page.topics.length)
  for (const topic of page.topics) writeTopicInfo(writer, topic)
}

export function readTopicPage(reader: ChunkReader): TopicPage {
  const next = reader.varint()
  return { next: next === 0 ? undefined : next - 1, topics: readList(reader, readTopicInfo) }
}

/** What `resolve` says of a name: the connection's number for it, and what it is. */
export interface ResolvedTopic {
  readonly ref: number
  readonly id: string
  readonly partitions: number
}

/** Request `resolve`: count and names. */
export function writeResolveRequest(writer: ChunkWriter, names: readonly TopicName[]): void {
  writer.varint(names.length)
  for (const name of names) writeTopicName(writer, name)
}

export function readResolveRequest(reader: ChunkReader): TopicName[] {
  return readList(reader, readTopicName)
}

/** Answer to `resolve`, per name: ref (0: no such topic), then id (16 bytes) and partitions. */
export function writeResolveResponse(
  writer: ChunkWriter,
  topics: readonly (ResolvedTopic | undefined)[],
): void {
  for (const topic of topics) {
    writer.varint(topic?.ref ?? 0)
    if (topic === undefined) continue
    writeTopicId(writer, topic.id)
    writer.varint(topic.partitions)
  }
}

export function readResolveResponse(
  reader: ChunkReader,
  count: number,
): (ResolvedTopic | undefined)[] {
  return Array.from({ length: count }, () => {
    const ref = reader.varint()
    if (ref === 0) return undefined
    return { ref, id: readTopicId(reader), partitions: reader.varint() }
  })
}

/** Answer to `describeTopic`: the topic, then its settings: count, then default?, name, value. */
export function writeConfigEntries(
  writer: ChunkWriter,
  entries: readonly TopicConfigEntry[],
): void {
  writer.varint(entries.length)
  for (const { isDefault, name, value } of entries) {
    writer.u8(isDefault ? 1 : 0)
    writer.string(name)
    writer.string(value)
  }
}

export function readConfigEntries(reader: ChunkReader): TopicConfigEntry[] {
  return readList(reader, () => ({
    isDefault: reader.u8() === 1,
    name: decodeUtf8(reader.field(), 'a setting'),
    value: decodeUtf8(reader.field(), "a setting's value"),
  }))
}

/** `initProducer`, both ways: producer id + 1 and epoch. Asked with 0, 0 the broker gives a new
 * one; asked with one that it gave before, the connection sends as that producer from now on. */
export function writeProducer(writer: ChunkWriter, producer: ProducerIdentity | undefined): void {
  writer.varint(producer === undefined ? 0 : producer.producerId + 1)
  writer.varint(producer?.producerEpoch ?? 0)
}

export function readProducer(reader: ChunkReader): ProducerIdentity | undefined {
  const producerId = reader.varint() - 1
  const producerEpoch = reader.varint()
  if (producerEpoch > 0x7fff) throw new ProtocolError('a producer epoch is too large')
  return producerId === -1 ? undefined : { producerId, producerEpoch }
}

function writeTopicId(writer: ChunkWriter, id: string): void {
  const bytes = topicIdToBytes(id)
  if (bytes === undefined) throw new InvalidArgumentError(`'${id}' is not a topic id`)
  writer.copy(bytes)
}

function readTopicId(reader: ChunkReader): string {
  return topicIdOf(reader.bytes(topicIdBytes))
}

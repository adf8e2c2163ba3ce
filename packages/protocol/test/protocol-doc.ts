/**
 * The parts of docs/protocol.md that are made from the sources: the table of errors, and a conversation
 * byte by byte. Run as a program it writes them into the page; a test fails while they differ.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import {
  type Chunks,
  type ChunkWriter,
  chunksLength,
  errorTable,
  joinChunks,
  type MessageBatch,
  native,
  OffsetOutOfRangeError,
  RecordsBuilder,
  topicIdOf,
  topicNameOf,
} from '../src/index.ts'

export const protocolDocFile = path.join(import.meta.dirname, '../../../docs/protocol.md')

/** One frame of the conversation; the notes cover its bytes, in order. */
export interface Spoken {
  readonly by: 'client' | 'broker'
  readonly what: string
  readonly bytes: Uint8Array
  readonly notes: readonly (readonly [byteCount: number, meaning: string])[]
}

const { operation } = native
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A client that makes a topic, sends, polls, commits, and makes a mistake. */
export function conversation(): Spoken[] {
  const name = topicNameOf('orders')
  const id = topicIdOf(Uint8Array.from({ length: 16 }, (_, index) => 0xa0 + index))
  const topic = { name: name.text, id, partitions: 1 }
  const at = 1_800_000_000_000
  const one = batchOf([{ key: null, value: utf8('hello'), headers: [], timestamp: at }])
  const two = batchOf([
    { key: utf8('k'), value: utf8('world'), headers: [], timestamp: at + 5 },
    {
      key: null,
      value: new Uint8Array(0),
      headers: [[utf8('from'), utf8('here')]],
      timestamp: at + 8,
    },
  ])
  const place = { topic: id, partition: 0, leaderEpoch: 1 }
  const partition = { ref: 1, partition: 0 }

  return [
    {
      by: 'client',
      what: 'the preamble, and identify; both in one write',
      bytes: joinChunks([
        native.magic,
        Uint8Array.of(native.version),
        ...request(operation.identify, 1, (writer) => native.writeIdentify(writer, 'demo')),
      ]),
      notes: [
        [3, "'KSK'"],
        [1, 'version 1'],
        [1, 'length: 7 bytes follow'],
        [1, 'operation 3, identify'],
        [1, 'tag 1'],
        [5, "clientId: 4 bytes, 'demo'"],
      ],
    },
    {
      by: 'broker',
      what: 'the answer',
      bytes: answer(1, (writer) =>
        native.writeBrokerIdentity(writer, {
          software: 'kaska 0.1.0',
          clusterId: 'abc',
          frameBytesMax: 134_217_728,
          capabilities: { kind: 'local', retriesSurviveCrash: true },
        }),
      ),
      notes: [
        [1, 'length'],
        [1, 'tag 1'],
        [1, 'status 0: success'],
        [12, "software: 11 bytes, 'kaska 0.1.0'"],
        [4, "clusterId: 3 bytes, 'abc' (22 characters in truth)"],
        [4, 'frameBytesMax 134217728, as a varint'],
        [1, 'flags: none'],
      ],
    },
    {
      by: 'client',
      what: "createTopic 'orders'",
      bytes: joinChunks(
        request(operation.createTopic, 2, (writer) =>
          native.writeCreateTopic(writer, { name, partitions: 1, config: new Map(), id }),
        ),
      ),
      notes: [
        [1, 'length'],
        [1, 'operation 4, createTopic'],
        [1, 'tag 2'],
        [16, 'id, chosen by the client'],
        [1, 'partitions 1'],
        [1, 'no settings'],
        [7, "name: 6 bytes, 'orders'"],
      ],
    },
    {
      by: 'broker',
      what: 'the answer: the topic',
      bytes: answer(2, (writer) => native.writeTopicInfo(writer, topic)),
      notes: [
        [1, 'length'],
        [1, 'tag 2'],
        [1, 'status 0'],
        [16, 'id'],
        [1, 'partitions 1'],
        [7, "name 'orders'"],
      ],
    },
    {
      by: 'client',
      what: 'resolve: which number has the topic here?',
      bytes: joinChunks(
        request(operation.resolve, 3, (writer) =>
          native.writeResolveRequest(writer, [name, topicNameOf('nothing')]),
        ),
      ),
      notes: [
        [1, 'length'],
        [1, 'operation 8, resolve'],
        [1, 'tag 3'],
        [1, 'two names'],
        [7, "'orders'"],
        [8, "'nothing'"],
      ],
    },
    {
      by: 'broker',
      what: 'the answer',
      bytes: answer(3, (writer) =>
        native.writeResolveResponse(writer, [{ ref: 1, id, partitions: 1 }, undefined]),
      ),
      notes: [
        [1, 'length'],
        [1, 'tag 3'],
        [1, 'status 0'],
        [1, 'ref 1'],
        [16, 'id'],
        [1, 'partitions 1'],
        [1, "ref 0: there is no topic 'nothing'"],
      ],
    },
    {
      by: 'client',
      what: 'send one message',
      bytes: joinChunks(
        request(operation.send, 4, (writer) =>
          native.writeSendRequest(writer, [{ ...partition, baseSequence: -1, batch: one }]),
        ),
      ),
      notes: [
        [1, 'length'],
        [1, 'operation 11, send'],
        [1, 'tag 4'],
        [1, 'one part'],
        [1, 'ref 1'],
        [1, 'flags: bit 7, one record'],
        [1, 'baseSequence + 1: 0, without'],
        [6, 'baseTimestamp 1800000000000, zigzag'],
        [1, 'records: 12 bytes'],
        [1, 'the record: 11 bytes (zigzag)'],
        [1, 'attributes'],
        [1, 'timestampDelta 0'],
        [1, 'offsetDelta 0'],
        [1, 'key length -1: null'],
        [1, 'value length 5 (zigzag)'],
        [5, "'hello'"],
        [1, 'no headers'],
      ],
    },
    {
      by: 'broker',
      what: 'the answer: its offset',
      bytes: answer(4, (writer) =>
        native.writeSendResponse(writer, [{ baseOffset: 0, appendTimestamp: undefined }], 0),
      ),
      notes: [
        [1, 'length'],
        [1, 'tag 4'],
        [1, 'status 0'],
        [1, 'baseOffset 0'],
      ],
    },
    {
      by: 'client',
      what: 'send a batch of two',
      bytes: joinChunks(
        request(operation.send, 5, (writer) =>
          native.writeSendRequest(writer, [{ ...partition, baseSequence: -1, batch: two }]),
        ),
      ),
      notes: [
        [1, 'length'],
        [1, 'operation 11, send'],
        [1, 'tag 5'],
        [1, 'one part'],
        [1, 'ref 1'],
        [1, 'flags'],
        [1, 'baseSequence + 1: 0, without'],
        [6, 'baseTimestamp 1800000000005'],
        [1, 'recordCount 2'],
        [1, 'records: 30 bytes'],
        [1, 'the first record: 12 bytes'],
        [1, 'attributes'],
        [1, 'timestampDelta 0'],
        [1, 'offsetDelta 0'],
        [2, "key: 1 byte, 'k'"],
        [6, "value: 5 bytes, 'world'"],
        [1, 'no headers'],
        [1, 'the second record: 16 bytes'],
        [1, 'attributes'],
        [1, 'timestampDelta 3'],
        [1, 'offsetDelta 1'],
        [1, 'key: null'],
        [1, 'value: 0 bytes'],
        [1, 'one header'],
        [5, "name: 4 bytes, 'from'"],
        [5, "value: 4 bytes, 'here'"],
      ],
    },
    {
      by: 'broker',
      what: 'the answer',
      bytes: answer(5, (writer) =>
        native.writeSendResponse(writer, [{ baseOffset: 1, appendTimestamp: undefined }], 0),
      ),
      notes: [
        [1, 'length'],
        [1, 'tag 5'],
        [1, 'status 0'],
        [1, 'baseOffset 1: the two messages have the offsets 1 and 2'],
      ],
    },
    {
      by: 'client',
      what: 'poll from offset 0, waiting up to a second',
      bytes: joinChunks(
        request(operation.poll, 6, (writer) =>
          native.writePollRequest(writer, {
            waitMs: 1000,
            bytesMax: 1_048_576,
            parts: [{ ...partition, offset: 0 }],
          }),
        ),
      ),
      notes: [
        [1, 'length'],
        [1, 'operation 12, poll'],
        [1, 'tag 6'],
        [2, 'waitMs 1000'],
        [3, 'bytesMax 1048576'],
        [1, 'one part'],
        [1, 'ref 1'],
        [1, 'flags: partition 0, no lastEpoch'],
        [1, 'offset 0'],
      ],
    },
    {
      by: 'broker',
      what: 'the answer: both batches',
      bytes: answer(6, (writer) =>
        native.writePollResponse(
          writer,
          [
            { ...one, ...place, baseOffset: 0 },
            { ...two, ...place, baseOffset: 1 },
          ],
          [],
          () => 1,
        ),
      ),
      notes: [
        [1, 'length'],
        [1, 'tag 6'],
        [1, 'status 0'],
        [1, 'two batches'],
        [1, 'ref 1'],
        [1, 'flags: bit 7, one record'],
        [1, 'baseOffset 0'],
        [1, 'leaderEpoch 1'],
        [6, 'timestamp 1800000000000'],
        [1, 'records: 12 bytes'],
        [12, "'hello', as it was sent"],
        [1, 'ref 1'],
        [1, 'flags'],
        [1, 'baseOffset 1'],
        [1, 'leaderEpoch 1'],
        [6, 'timestamp 1800000000005'],
        [1, 'recordCount 2'],
        [1, 'gap 0'],
        [1, 'records: 30 bytes'],
        [30, 'both records, as they were sent'],
      ],
    },
    {
      by: 'client',
      what: "commit for 'billing': it has read the messages 0 to 2",
      bytes: joinChunks(
        request(operation.commit, 7, (writer) => {
          writer.string('billing')
          native.writeCommitEntries(writer, [{ ...partition, offset: 3 }])
        }),
      ),
      notes: [
        [1, 'length'],
        [1, 'operation 16, commit'],
        [1, 'tag 7'],
        [8, "'billing'"],
        [1, 'one entry'],
        [1, 'ref 1'],
        [1, 'partition 0'],
        [1, 'offset 3'],
      ],
    },
    {
      by: 'broker',
      what: 'the answer',
      bytes: answer(7),
      notes: [
        [1, 'length'],
        [1, 'tag 7'],
        [1, 'status 0'],
      ],
    },
    {
      by: 'client',
      what: 'committed?',
      bytes: joinChunks(
        request(operation.committed, 8, (writer) => {
          writer.string('billing')
          native.writePartition(writer, partition)
        }),
      ),
      notes: [
        [1, 'length'],
        [1, 'operation 17, committed'],
        [1, 'tag 8'],
        [8, "'billing'"],
        [1, 'ref 1'],
        [1, 'partition 0'],
      ],
    },
    {
      by: 'broker',
      what: 'the answer',
      bytes: answer(8, (writer) => native.writeOptionalOffset(writer, 3)),
      notes: [
        [1, 'length'],
        [1, 'tag 8'],
        [1, 'status 0'],
        [1, 'offset + 1: it is 3'],
      ],
    },
    {
      by: 'client',
      what: 'a mistake: messageSize of offset 7',
      bytes: joinChunks(
        request(operation.messageSize, 9, (writer) => {
          native.writePartition(writer, partition)
          writer.varint(7)
        }),
      ),
      notes: [
        [1, 'length'],
        [1, 'operation 13, messageSize'],
        [1, 'tag 9'],
        [1, 'ref 1'],
        [1, 'partition 0'],
        [1, 'offset 7'],
      ],
    },
    {
      by: 'broker',
      what: 'the answer: an error',
      bytes: joinChunks(
        native.encodeFailure(
          9,
          new OffsetOutOfRangeError('no offset 7', { startOffset: 0, endOffset: 3 }),
        ),
      ),
      notes: [
        [1, 'length'],
        [1, 'tag 9'],
        [1, 'status 9: OFFSET_OUT_OF_RANGE'],
        [12, "text: 11 bytes, 'no offset 7'"],
        [1, 'two details'],
        [1, 'startOffset 0'],
        [1, 'endOffset 3'],
      ],
    },
  ]
}

type Record = Parameters<RecordsBuilder['append']>[0]

function batchOf(records: readonly Record[]): MessageBatch {
  const builder = new RecordsBuilder()
  for (const record of records) builder.append(record)
  const { baseTimestamp, maxTimestamp, recordCount } = builder
  const chunks = builder.finish()
  return {
    attributes: 0,
    baseTimestamp,
    maxTimestamp,
    recordCount,
    lastOffsetDelta: recordCount - 1,
    records: chunks,
    recordsLength: chunksLength(chunks),
  }
}

function request(number: number, tag: number, write?: (writer: ChunkWriter) => void): Chunks {
  return native.encodeRequest(number, tag, write)
}

function answer(tag: number, write?: (writer: ChunkWriter) => void): Uint8Array {
  return joinChunks(native.encodeResponse(tag, write))
}

/** The page with what is made from the sources put in. */
export function withGeneratedParts(page: string): string {
  return fill(fill(page, 'errors', errorRows()), 'transcript', transcript())
}

function errorRows(): string {
  const rows = errorTable
    .filter(({ wire }) => wire !== 0)
    .map(({ wire, code, retriable, meaning }) => {
      return `| ${wire} | ${code} | ${retriable ? 'yes' : ''} | ${meaning} |`
    })
  return ['| nr | code | again | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

const hexBytesMax = 16

function transcript(): string {
  const lines: string[] = []
  for (const { by, what, bytes, notes } of conversation()) {
    lines.push('', `${by === 'client' ? '>' : '<'} ${what}`)
    let position = 0
    for (const [byteCount, meaning] of notes) {
      const end = position + byteCount
      if (end > bytes.length) throw new RangeError(`'${what}' has ${bytes.length} bytes`)
      for (let start = position; start < end; start += hexBytesMax) {
        const hex = [...bytes.subarray(start, Math.min(end, start + hexBytesMax))]
          .map((byte) => byte.toString(16).padStart(2, '0'))
          .join(' ')
        lines.push(`    ${start === position ? `${hex.padEnd(47)}  ${meaning}` : hex}`)
      }
      position = end
    }
    if (position !== bytes.length) {
      throw new RangeError(`the notes on '${what}' cover ${position} of ${bytes.length} bytes`)
    }
  }
  return `\`\`\`text\n${lines.slice(1).join('\n')}\n\`\`\``
}

function fill(page: string, part: string, text: string): string {
  const start = `<!-- ${part} -->\n`
  const end = `<!-- /${part} -->`
  const from = page.indexOf(start)
  const to = page.indexOf(end)
  if (from === -1 || to < from) throw new Error(`the page has no place for ${part}`)
  return `${page.slice(0, from + start.length)}${text}\n${page.slice(to)}`
}

if (import.meta.main) {
  writeFileSync(protocolDocFile, withGeneratedParts(readFileSync(protocolDocFile, 'utf8')))
}

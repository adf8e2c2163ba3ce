/** The loads: producing with a window, consuming, and one request at a time. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type Chunks, chunksLength, joinChunks, native, topicNameOf } from '@kaska/protocol'
import { AskingConnection } from './asking-connection.ts'
import { batchOf, openSocket, RawConnection, resolveTopic, writeChunks } from './raw-connection.ts'
import type { Target } from './target.ts'

export interface ProduceOptions {
  readonly messageBytes: number
  readonly batchMessages: number
  readonly batches: number
  /** Batches under way at once: 5 is what a producer may have for a partition. */
  readonly window: number
}

export interface Throughput {
  readonly seconds: number
  readonly messages: number
  readonly valueBytes: number
  /** What passed on the socket, both ways; */
  readonly wireBytes: number
  /** ...and how many messages that was, some of them perhaps twice. */
  readonly wireMessages: number
  /** CPU time of the server. */
  readonly cpuSeconds: number
}

export const megabytesPerSecond = ({ valueBytes, seconds }: Throughput): number =>
  valueBytes / 1e6 / seconds

const topicName = 'bench'
const pollBytesMax = 2 ** 20
/** With room for the fields around the batches. */
const answerBytesMax = pollBytesMax + 2 ** 16

/** Sends batches to Kaska, as a producer whose retries are safe. Resolves when all are answered. */
export async function produceToKaska(
  kaska: Target,
  options: ProduceOptions,
  topic = topicName,
): Promise<Throughput> {
  await using connection = await RawConnection.open(kaska.port)
  const ref = await connection.createTopic(topic).catch(async () => connection.resolve(topic))
  await connection.initProducer()
  const batch = batchOf(options.batchMessages, options.messageBytes)
  const { batches, window } = options
  const bytesBefore = connection.sentBytes + connection.receivedBytes
  const cpuBefore = kaska.cpuSeconds()
  const started = performance.now()
  const done = new Promise<void>((resolve) => {
    let sent = 0
    let answered = 0
    const send = (): void => {
      const baseSequence = (sent * batch.recordCount) % 2 ** 31
      sent++
      const part = { ref, partition: 0, baseSequence, batch }
      connection.begin(
        native.operation.send,
        (writer) => native.writeSendRequest(writer, [part]),
        (_answer, status) => {
          if (status !== native.statusOk) throw new Error('a batch was refused')
          answered++
          if (sent < batches) send()
          else if (answered === batches) resolve()
        },
      )
    }
    for (let index = 0; index < Math.min(window, batches); index++) send()
  })
  await Promise.race([done, connection.broken])
  const seconds = (performance.now() - started) / 1000
  return {
    seconds,
    messages: batches * options.batchMessages,
    valueBytes: batches * options.batchMessages * options.messageBytes,
    wireBytes: connection.sentBytes + connection.receivedBytes - bytesBefore,
    wireMessages: batches * options.batchMessages,
    cpuSeconds: kaska.cpuSeconds() - cpuBefore,
  }
}

/** Sends the same bytes to a sink, with as many of them under way. Resolves when it has emptied its file. */
export async function produceToSink(sink: Target, options: ProduceOptions): Promise<Throughput> {
  const socket = await openSocket(sink.port)
  const { batches, window } = options
  const batch = batchOf(options.batchMessages, options.messageBytes)
  const part = { ref: 1, partition: 0, baseSequence: 2 ** 20, batch }
  const frame = native.encodeRequest(native.operation.send, 100, (writer) =>
    native.writeSendRequest(writer, [part]),
  )
  const frameBytes = chunksLength(frame)
  const cpuBefore = sink.cpuSeconds()
  const started = performance.now()
  let answerBytes = 0
  await new Promise<void>((resolve, reject) => {
    let sent = 0
    const send = (): void => {
      sent++
      writeChunks(socket, frame)
    }
    eachTaken(socket, (taken) => {
      answerBytes += 8
      while (sent < batches && sent * frameBytes - taken < window * frameBytes) send()
      if (taken === batches * frameBytes) resolve()
    })
    socket.on('error', reject)
    for (let index = 0; index < Math.min(window, batches); index++) send()
  })
  const seconds = (performance.now() - started) / 1000
  const cpuSeconds = sink.cpuSeconds() - cpuBefore
  // It empties its file before it ends the connection.
  const closed = once(socket, 'close')
  socket.end()
  await closed
  return {
    seconds,
    messages: batches * options.batchMessages,
    valueBytes: batches * options.batchMessages * options.messageBytes,
    wireBytes: batches * frameBytes + answerBytes,
    wireMessages: batches * options.batchMessages,
    cpuSeconds,
  }
}

/** Calls back with how many bytes a sink has taken, as its answers come. */
function eachTaken(socket: Socket, callback: (taken: number) => void): void {
  let rest = new Uint8Array(0)
  socket.on('data', (chunk) => {
    const bytes = joinChunks([rest, chunk as Uint8Array])
    const whole = bytes.length - (bytes.length % 8)
    rest = bytes.slice(whole)
    if (whole === 0) return
    callback(new DataView(bytes.buffer, bytes.byteOffset + whole - 8, 8).getFloat64(0, true))
  })
}

/** Reads what is in the topic, from the start to its end, over as many connections as said. */
export async function consumeFromKaska(
  kaska: Target,
  valueBytesEach: number,
  connections = 1,
  topic = topicName,
): Promise<Throughput> {
  const readers = await Promise.all(
    Array.from({ length: connections }, () => AskingConnection.open(kaska.port, answerBytesMax)),
  )
  const cpuBefore = kaska.cpuSeconds()
  const started = performance.now()
  const counts = await Promise.all(
    readers.map(async (reader, index) => {
      const ref = await resolveTopic(reader, topic)
      const answer = await reader.request(native.operation.offsets, (writer) =>
        native.writePartition(writer, { ref, partition: 0 }),
      )
      const { startOffset, endOffset } = native.readOffsetBounds(answer)
      const share = (endOffset - startOffset) / connections
      const from = startOffset + Math.floor(share * index)
      return await consumeRange(reader, ref, from, startOffset + Math.floor(share * (index + 1)))
    }),
  )
  const seconds = (performance.now() - started) / 1000
  const cpuSeconds = kaska.cpuSeconds() - cpuBefore
  const messages = counts.reduce((sum, { wanted }) => sum + wanted, 0)
  const wireMessages = counts.reduce((sum, { received }) => sum + received, 0)
  const wireBytes = readers.reduce(
    (sum, reader) => sum + reader.sentBytes + reader.receivedBytes,
    0,
  )
  for (const reader of readers) await reader[Symbol.asyncDispose]()
  const valueBytes = messages * valueBytesEach
  return { seconds, messages, valueBytes, wireBytes, wireMessages, cpuSeconds }
}

/** Deletes what was sent, so that the next run is not one of a full disk. */
export async function deleteTopic(kaska: Target, topic = topicName): Promise<void> {
  await using connection = await RawConnection.open(kaska.port)
  await connection.request(native.operation.deleteTopic, (writer) =>
    native.writeTopicName(writer, topicNameOf(topic)),
  )
}

async function consumeRange(
  reader: AskingConnection,
  ref: number,
  from: number,
  end: number,
): Promise<{ wanted: number; received: number }> {
  let offset = from
  let received = 0
  while (offset < end) {
    const parts = [{ ref, partition: 0, offset }]
    const answer = await reader.request(native.operation.poll, (writer) =>
      native.writePollRequest(writer, { waitMs: 1000, bytesMax: pollBytesMax, parts }),
    )
    const { batches, failures } = native.readPollResponse(answer)
    if (failures[0] !== undefined) throw failures[0].error
    for (const batch of batches) {
      received += batch.recordCount
      offset = batch.baseOffset + batch.lastOffsetDelta + 1
    }
  }
  return { wanted: end - from, received }
}

/** The times of round trips, in microseconds: one frame, and then its answer, over and over. */
export async function roundTripTimes(
  target: Target,
  isEcho: boolean,
  count: number,
  messageBytes: number,
): Promise<number[]> {
  const batch = batchOf(1, messageBytes)
  const part = { partition: 0, baseSequence: -1, batch }
  const encode = (ref: number): Chunks =>
    native.encodeRequest(native.operation.send, 1, (writer) =>
      native.writeSendRequest(writer, [{ ref, ...part }]),
    )
  if (isEcho) {
    const socket = await openSocket(target.port)
    const frame = encode(1)
    return await timeRoundTrips(socket, [joinChunks(frame)], chunksLength(frame), count)
  }
  const connection = await RawConnection.open(target.port)
  const ref = await connection.createTopic(`one-${process.hrtime.bigint()}`)
  connection.socket.removeAllListeners()
  return await timeRoundTrips(connection.socket, [joinChunks(encode(ref))], 0, count)
}

/** `answerBytes`: 0 where an answer is one short frame. */
function timeRoundTrips(
  socket: Socket,
  request: Chunks,
  answerBytes: number,
  count: number,
): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const times: number[] = []
    let missing = answerBytes
    let started = 0
    const send = (): void => {
      started = performance.now()
      writeChunks(socket, request)
    }
    socket.on('data', (data) => {
      const chunk = data as Uint8Array
      if (answerBytes > 0) {
        missing -= chunk.length
        if (missing > 0) return
        missing = answerBytes
      } else if (chunk[0] !== chunk.length - 1 || chunk[2] !== native.statusOk) {
        reject(new Error('not the answer that was awaited'))
        return
      }
      times.push((performance.now() - started) * 1000)
      if (times.length < count) send()
      else {
        socket.destroy()
        resolve(times)
      }
    })
    socket.on('error', reject)
    send()
  })
}

/**
 * The smallest real requests to a Kafka broker, for knowing that it serves; written by hand, so that what
 * is under test is not asked about itself.
 */
import { connect } from 'node:net'

const answerMsMax = 2_000
const correlationId = 7

/** Whether a broker at this port answers that there is a broker. Never rejects. */
export async function answersMetadata(port: number): Promise<boolean> {
  // Metadata 1 about no topics.
  const answer = await ask(port, 3, 1, int32(0))
  return answer !== undefined && answer.readInt32BE(0) > 0
}

/** Whether groups can be used yet: Apache Kafka makes their topic when it is first asked. Never rejects. */
export async function servesGroups(port: number): Promise<boolean> {
  const isServed = await Promise.all(
    Array.from({ length: 16 }, async (_, index) => {
      const group = Buffer.from(`warm-up-${index}`)
      const name = Buffer.concat([Buffer.from([0, group.length]), group])
      // FindCoordinator 0; then OffsetFetch 2 of all, whose error comes last.
      const found = await ask(port, 10, 0, name)
      if (found?.readInt16BE(0) !== 0) return false
      const offsets = await ask(port, 9, 2, Buffer.concat([name, int32(-1)]))
      return offsets?.readInt16BE(offsets.length - 2) === 0
    }),
  )
  return isServed.every(Boolean)
}

/** Sends a request; the body of its answer, or undefined if there is none. */
function ask(
  port: number,
  key: number,
  version: number,
  body: Buffer,
): Promise<Buffer | undefined> {
  const header = Buffer.from([0, key, 0, version, 0, 0, 0, correlationId, 0xff, 0xff])
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let answer = Buffer.alloc(0)
    const finish = (body: Buffer | undefined): void => {
      socket.destroy()
      resolve(body)
    }
    socket.setTimeout(answerMsMax, () => finish(undefined))
    socket.once('error', () => finish(undefined))
    socket.once('close', () => finish(undefined))
    socket.once('connect', () => {
      socket.write(Buffer.concat([int32(header.length + body.length), header, body]))
    })
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      if (answer.length < 8 || answer.length < 4 + answer.readInt32BE(0)) return
      finish(answer.readInt32BE(4) === correlationId ? answer.subarray(8) : undefined)
    })
  })
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

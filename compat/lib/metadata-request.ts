/**
 * The smallest real request to a Kafka broker: Metadata 1, which names the brokers. For knowing that a
 * broker serves; written by hand, so that what is under test is not asked about itself.
 */
import { connect } from 'node:net'

const answerMsMax = 2_000
/** Metadata 1 with correlation id 7, no client id, no topics (an empty list). */
const request = Buffer.from([
  ...[0, 0, 0, 14],
  ...[0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff],
  ...[0, 0, 0, 0],
])
const brokerCountAt = 8

/** Whether a broker at this port answers that there is a broker. Never rejects. */
export function answersMetadata(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    let answer = Buffer.alloc(0)
    const finish = (hasAnswered: boolean): void => {
      socket.destroy()
      resolve(hasAnswered)
    }
    socket.setTimeout(answerMsMax, () => finish(false))
    socket.once('error', () => finish(false))
    socket.once('close', () => finish(false))
    socket.once('connect', () => socket.write(request))
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      if (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) return
      finish(answer.readInt32BE(4) === 7 && answer.readInt32BE(brokerCountAt) > 0)
    })
  })
}

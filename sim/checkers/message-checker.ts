/**
 * What must hold for messages, judged from the outside alone: what senders were told, and what
 * readers saw.
 *
 *   1  an acknowledged message lies where the acknowledgement says, and nowhere else
 *   2  a message lies at one place at most, however often it was sent again
 *   3  what one sender sent to one partition lies there in the order of its calls
 *   4  an offset holds the same message for every reader at every time: nothing that was seen
 *      changes or vanishes
 *   5  a message has the bytes that were sent, and was sent
 *   6  a failed message may be in the log or not, but for those that failed for certain
 */
import { Violation } from './violation.ts'

/** A place in a log. */
export interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

interface SentMessage {
  readonly topic: string
  /** Where it was sent to, if the sender said so. */
  readonly partition: number | undefined
  readonly size: number
  /** Wall time at its sender. */
  readonly sentAt: number
  state: 'under way' | 'acknowledged' | 'refused' | 'unknown'
  /** Where it was acknowledged, or first seen. */
  place: Place | undefined
}

/** A message's identity: its sender, and the number of the sender's call. */
export interface MessageId {
  readonly sender: string
  readonly number: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The bytes of a message of about this size: its identity, and a filling that depends on it. */
export function messageBytes({ sender, number }: MessageId, size: number): Uint8Array {
  const head = encoder.encode(`${sender}#${number}|`)
  const bytes = new Uint8Array(Math.max(size, head.length))
  bytes.set(head)
  for (let index = head.length; index < bytes.length; index++) bytes[index] = filling(number, index)
  return bytes
}

/** Whose message it is. Throws Violation when the bytes are nobody's. */
export function messageIdOf(bytes: Uint8Array): MessageId {
  const end = bytes.indexOf(0x7c)
  const match = /^([^#|]+)#(\d+)$/.exec(decoder.decode(bytes.subarray(0, Math.max(0, end))))
  if (match === null) throw new Violation(`${bytes.length} bytes that nobody sent`)
  const number = Number(match[2])
  for (let index = end + 1; index < bytes.length; index++) {
    if (bytes[index] !== filling(number, index)) {
      throw new Violation(`byte ${index} of ${match[0]} was changed`)
    }
  }
  return { sender: match[1] as string, number }
}

function filling(number: number, index: number): number {
  return (number * 31 + index * 7) & 0xff
}

export class MessageChecker {
  readonly #now: () => number
  readonly #sent = new Map<string, SentMessage>()
  /** By topic and partition: what lies at each offset, as far as anybody knows. */
  readonly #logs = new Map<string, Map<number, string>>()

  /** How many acknowledgements there were. */
  acknowledgements = 0

  /** `now`: wall time. */
  constructor(now: () => number = () => 0) {
    this.#now = now
  }

  /** How many messages ended how. */
  get counts(): Record<SentMessage['state'], number> {
    const counts = { 'under way': 0, acknowledged: 0, refused: 0, unknown: 0 }
    for (const { state } of this.#sent.values()) counts[state]++
    return counts
  }

  sending(id: MessageId, topic: string, partition: number | undefined, bytes: Uint8Array): void {
    this.#sent.set(keyOf(id), {
      topic,
      partition,
      size: bytes.length,
      sentAt: this.#now(),
      state: 'under way',
      place: undefined,
    })
  }

  acknowledged(id: MessageId, place: Place): void {
    const message = this.#messageOf(id)
    if (message.partition !== undefined && message.partition !== place.partition) {
      throw new Violation(`${keyOf(id)} was sent to ${message.partition}, and is at ${show(place)}`)
    }
    message.state = 'acknowledged'
    this.acknowledgements++
    this.#place(id, message, place)
  }

  /** The send was given up. `isCertain`: the message is not in the log, and never will be. */
  failed(id: MessageId, isCertain: boolean): void {
    const message = this.#messageOf(id)
    message.state = isCertain ? 'refused' : 'unknown'
    if (isCertain && message.place !== undefined) {
      throw new Violation(`${keyOf(id)} was refused, and is at ${show(message.place)}`)
    }
  }

  /** A reader got these bytes from this place. */
  seen(place: Place, bytes: Uint8Array): MessageId {
    let id: MessageId
    try {
      id = messageIdOf(bytes)
    } catch (error) {
      if (error instanceof Violation) error.message = `${show(place)}: ${error.message}`
      throw error
    }
    const message = this.#messageOf(id)
    if (bytes.length !== message.size) {
      throw new Violation(`${keyOf(id)} had ${message.size} bytes, and has ${bytes.length}`)
    }
    if (message.topic !== place.topic) {
      throw new Violation(`${keyOf(id)} was sent to ${message.topic}, and is at ${show(place)}`)
    }
    if (message.state === 'refused') {
      throw new Violation(`${keyOf(id)} was refused, and is at ${show(place)}`)
    }
    this.#place(id, message, place)
    return id
  }

  /** When the message that lies here was sent; undefined where nobody knows which one does. */
  sentAt(place: Place): number | undefined {
    const key = this.#logOf(place.topic, place.partition).get(place.offset)
    return key === undefined ? undefined : this.#sent.get(key)?.sentAt
  }

  /** At least the bytes of the messages from an offset on, each with so many beside its value. */
  bytesFrom(topic: string, partition: number, offset: number, overheadBytes: number): number {
    let bytes = 0
    for (const { place, partition: sentTo, size, topic: sentIn } of this.#sent.values()) {
      if (sentIn !== topic || (sentTo ?? partition) !== partition) continue
      // One of which nobody knows where it is may be there.
      const isThere = place === undefined || place.partition === partition
      if (isThere && (place?.offset ?? offset) >= offset) bytes += size + overheadBytes
    }
    return bytes
  }

  /**
   * The whole of a partition from its start, read when all was over: nothing acknowledged or seen may be
   * missing behind it, and each sender's messages lie in its order.
   */
  whole(topic: string, partition: number, startOffset: number, endOffset: number): void {
    const log = this.#logOf(topic, partition)
    const lastOf = new Map<string, number>()
    for (let offset = startOffset; offset < endOffset; offset++) {
      const key = log.get(offset)
      const place = { topic, partition, offset }
      if (key === undefined) throw new Violation(`nothing was read at ${show(place)}`)
      const separator = key.lastIndexOf('#')
      const sender = key.slice(0, separator)
      const number = Number(key.slice(separator + 1))
      const before = lastOf.get(sender)
      if (before !== undefined && before >= number) {
        throw new Violation(`${key} at ${show(place)} lies behind ${sender}#${before}`)
      }
      lastOf.set(sender, number)
    }
    for (const [offset, key] of log) {
      if (offset < endOffset) continue
      const what = this.#sent.get(key)?.state === 'acknowledged' ? 'acknowledged' : 'seen'
      const place = show({ topic, partition, offset })
      throw new Violation(`${key} was ${what} at ${place}: the log is ${startOffset}..${endOffset}`)
    }
  }

  #place(id: MessageId, message: SentMessage, place: Place): void {
    const key = keyOf(id)
    const known = message.place
    if (
      known !== undefined &&
      (known.partition !== place.partition || known.offset !== place.offset)
    ) {
      throw new Violation(`${key} is at ${show(known)} and at ${show(place)}`)
    }
    const log = this.#logOf(place.topic, place.partition)
    const other = log.get(place.offset)
    if (other !== undefined && other !== key) {
      throw new Violation(`${other} was at ${show(place)}, where ${key} is`)
    }
    message.place = place
    log.set(place.offset, key)
  }

  #logOf(topic: string, partition: number): Map<number, string> {
    const name = `${topic}/${partition}`
    let log = this.#logs.get(name)
    if (log === undefined) {
      log = new Map()
      this.#logs.set(name, log)
    }
    return log
  }

  #messageOf(id: MessageId): SentMessage {
    const message = this.#sent.get(keyOf(id))
    if (message === undefined) throw new Violation(`${keyOf(id)} was never sent`)
    return message
  }
}

function keyOf({ sender, number }: MessageId): string {
  return `${sender}#${number}`
}

function show({ topic, partition, offset }: Place): string {
  return `${topic}/${partition} offset ${offset}`
}

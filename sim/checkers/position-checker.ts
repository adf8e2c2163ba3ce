/**
 * What must hold for a consumer's position: every message from there on is handed out, once, in the
 * order of the log, whatever happens to the broker and the connection meanwhile.
 */
import { Violation } from './violation.ts'

export class PositionChecker {
  readonly #name: string
  readonly #positions = new Map<string, number>()
  seen = 0

  constructor(name: string) {
    this.#name = name
  }

  /** The consumer stands here: after subscribing, or after it moved. */
  moved(topic: string, partition: number, offset: number): void {
    this.#positions.set(`${topic}/${partition}`, offset)
  }

  handedOut(topic: string, partition: number, offset: number, positionAfter: number): void {
    const key = `${topic}/${partition}`
    const expected = this.#positions.get(key)
    if (expected === undefined) throw new Violation(`${this.#name}: ${key} is not subscribed`)
    if (offset !== expected) {
      throw new Violation(`${this.#name}: ${key} is at ${expected}, and ${offset} was handed out`)
    }
    if (positionAfter !== offset + 1) {
      throw new Violation(`${this.#name}: ${key} is at ${positionAfter} after ${offset}`)
    }
    this.#positions.set(key, offset + 1)
    this.seen++
  }

  /** Is this where the consumer stands, as far as was seen? */
  isAt(topic: string, partition: number, position: number): boolean {
    return this.#positions.get(`${topic}/${partition}`) === position
  }

  /** What the client library says, where nothing happened since. */
  stands(topic: string, partition: number, position: number): void {
    const expected = this.#positions.get(`${topic}/${partition}`)
    if (expected !== position) {
      throw new Violation(`${this.#name}: ${topic}/${partition} is at ${position}, not ${expected}`)
    }
  }
}

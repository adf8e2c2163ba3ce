/**
 * Random numbers that a seed determines: the same seed gives the same numbers on every machine.
 *
 * `fork` makes an independent stream by a name, so that drawing one number more in one part of a
 * simulation does not change what all other parts draw.
 */
import assert from 'node:assert/strict'
import type { Random } from '@kaska/protocol'

export class SeededRandom implements Random {
  readonly #name: string
  /** The state of sfc32, a small generator that passes the usual tests of randomness. */
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, name = '') {
    this.#name = `${seed}/${name}`
    // FNV-1a spreads the name over the state; the first numbers are thrown away.
    let hash = 0x811c9dc5
    for (let index = 0; index < this.#name.length; index++) {
      hash = Math.imul(hash ^ this.#name.charCodeAt(index), 0x01000193)
    }
    this.#a = seed | 0
    this.#b = hash
    this.#c = 0x9e3779b9
    for (let count = 0; count < 12; count++) this.u32()
  }

  /** The stream of this name: its numbers depend on the seed and on the name alone. */
  fork(name: string): SeededRandom {
    return new SeededRandom(this.u32At(name), `${this.#name}/${name}`)
  }

  /** 0 to 2^32 - 1. */
  u32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return sum >>> 0
  }

  /** An integer of `min` to `max`, both included. */
  between(min: number, max: number): number {
    assert(max >= min, 'an empty range')
    return min + Math.floor((this.u32() / 0x1_0000_0000) * (max - min + 1))
  }

  /** An integer of `min` to `max` whose order of magnitude is random: mostly small, rarely large. */
  spread(min: number, max: number): number {
    const magnitude = Math.log(max - min + 1) * (this.u32() / 0x1_0000_0000)
    return Math.min(max, min + Math.floor(Math.exp(magnitude)) - 1)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.u32() < probability * 0x1_0000_0000
  }

  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, 'nothing to pick from')
    return items[this.between(0, items.length - 1)] as T
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let index = 0; index < length; index++) bytes[index] = this.u32()
    return bytes
  }

  private u32At(name: string): number {
    let hash = 0x811c9dc5
    const text = `${this.#name}:${name}`
    for (let index = 0; index < text.length; index++) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
    }
    return hash >>> 0
  }
}

/** A queue: what was pushed first is shifted first, both in constant time. */
export class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  /** The oldest item; it stays. */
  peek(): T | undefined {
    return this.#items[this.#head]
  }

  /** The newest item; it stays. */
  last(): T | undefined {
    return this.length === 0 ? undefined : this.#items[this.#items.length - 1]
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (this.length === 0) return undefined
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** Takes one item out, wherever it is; in time proportional to the length. */
  remove(item: T): void {
    const index = this.#items.indexOf(item, this.#head)
    if (index !== -1) this.#items.splice(index, 1)
  }

  clear(): void {
    this.#items = []
    this.#head = 0
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let index = this.#head; index < this.#items.length; index++) {
      yield this.#items[index] as T
    }
  }
}

/**
 * A clock that stands still until it is told to go on: the heart of a simulation, and a clock for
 * tests.
 *
 *   events   | 3 ms, #7 | 3 ms, #9 | 40 ms, #2 | ...      by time, then by the order of the calls
 *               ^ run, then all microtasks, then the next
 *
 * Time moves only from one event to the next, so that an hour of waiting costs nothing. Everything
 * that an event sets going by promises is over before the next event runs, in an order that depends on
 * nothing but the events: so a run is the same each time.
 */
import assert from 'node:assert/strict'
import type { Clock, Timer } from '@kaska/protocol'

/** Two starts on the same day agree on what time it is. */
const wallTimeAtStart = Date.UTC(2025, 0, 1)

interface Event {
  readonly at: number
  readonly number: number
  callback: (() => void) | undefined
}

/** The run took more steps than it may: something spins, or waits for what never comes. */
export class BudgetExceededError extends Error {
  override readonly name = 'BudgetExceededError'
}

export class ManualClock implements Clock {
  /** A binary heap by `at`, then by `number`. */
  readonly #events: Event[] = []
  #eventNumber = 0
  #monotonic = 0
  #wallOffset = wallTimeAtStart
  #steps = 0

  /** Events that have run. */
  get steps(): number {
    return this.#steps
  }

  /** Events that wait for their time, cancelled ones included. */
  get waiting(): number {
    return this.#events.length
  }

  now(): number {
    return this.#wallOffset + Math.floor(this.#monotonic)
  }

  monotonic(): number {
    return this.#monotonic
  }

  /** Sets the wall time forward or back; the monotonic time does not notice. */
  jump(ms: number): void {
    this.#wallOffset += ms
  }

  after(delayMs: number, callback: () => void): Timer {
    const event: Event = {
      at: this.#monotonic + Math.max(0, delayMs),
      number: this.#eventNumber++,
      callback,
    }
    this.#push(event)
    return {
      cancel: () => {
        event.callback = undefined
      },
    }
  }

  yield(): Promise<void> {
    return this.sleep(0)
  }

  /** Resolves after this much of the clock's time. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve)
    })
  }

  /**
   * Runs the next event, and all that follows from it without another event. False: there is none.
   */
  async step(): Promise<boolean> {
    for (;;) {
      const event = this.#pop()
      if (event === undefined) return false
      const { callback } = event
      if (callback === undefined) continue
      assert(event.at >= this.#monotonic, 'time went back')
      this.#monotonic = event.at
      this.#steps++
      callback()
      await drainMicrotasks()
      return true
    }
  }

  /** Runs all events of the next `ms` milliseconds. */
  async advance(ms: number): Promise<void> {
    const until = this.#monotonic + ms
    await drainMicrotasks()
    for (;;) {
      this.#dropCancelled()
      const next = this.#events[0]
      if (next === undefined || next.at > until) break
      await this.step()
    }
    this.#monotonic = Math.max(this.#monotonic, until)
  }

  /**
   * Runs events until the promise settles, and settles as it does. Rejects with BudgetExceededError
   * after `stepsMax` more events, and where no event is left that could settle it.
   */
  async runUntil<T>(promise: Promise<T>, stepsMax: number): Promise<T> {
    let isSettled = false
    promise.then(
      () => {
        isSettled = true
      },
      () => {
        isSettled = true
      },
    )
    const last = this.#steps + stepsMax
    await drainMicrotasks()
    while (!isSettled) {
      if (this.#steps >= last) throw new BudgetExceededError(`${stepsMax} steps were not enough`)
      if (!(await this.step())) {
        await drainMicrotasks()
        if (!isSettled) throw new BudgetExceededError('nothing is left that could happen')
      }
    }
    return promise
  }

  #dropCancelled(): void {
    while (this.#events[0] !== undefined && this.#events[0].callback === undefined) this.#pop()
  }

  #push(event: Event): void {
    const heap = this.#events
    let index = heap.length
    heap.push(event)
    while (index > 0) {
      const above = (index - 1) >>> 1
      const parent = heap[above] as Event
      if (!isBefore(event, parent)) break
      heap[index] = parent
      index = above
    }
    heap[index] = event
  }

  #pop(): Event | undefined {
    const heap = this.#events
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || first === last) return first
    let index = 0
    for (;;) {
      let below = 2 * index + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Event, heap[below] as Event))
        below++
      if (!isBefore(heap[below] as Event, last)) break
      heap[index] = heap[below] as Event
      index = below
    }
    heap[index] = last
    return first
  }
}

function isBefore(left: Event, right: Event): boolean {
  return left.at < right.at || (left.at === right.at && left.number < right.number)
}

/** Resolves when no promise is left that could go on by itself. */
export function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/**
 * Requests by protocol and operation: how many, how many failed, how long they took. What is counted on
 * the way of a request are plain fields of an object that its protocol has at hand.
 */
import { LatencyHistogram } from './latency-histogram.ts'

/** A WebSocket's requests are those of the native protocol that it carries. */
export type RequestProtocol = 'native' | 'kafka' | 'http'

export class OperationFigures {
  readonly protocol: RequestProtocol
  /** `send`, `Produce`, `GET /api/v1/topics`. */
  readonly operation: string
  requests = 0
  /** Those that were answered with an error, for all of the request or for a part of it. */
  failures = 0
  /** From the arrival of a request to its answer: what it waited for, a poll for messages, included. */
  readonly latency = new LatencyHistogram()

  constructor(protocol: RequestProtocol, operation: string) {
    this.protocol = protocol
    this.operation = operation
  }

  /** Counts a request that was answered: times are monotonic, in milliseconds. */
  answered(startedAt: number, now: number, hasFailed: boolean): void {
    this.requests++
    if (hasFailed) this.failures++
    this.latency.record(now - startedAt, now)
  }
}

export class RequestFigures {
  readonly #operations = new Map<string, OperationFigures>()

  /** The figures of an operation. What it is called must not come from a peer: it is kept for ever. */
  of(protocol: RequestProtocol, operation: string): OperationFigures {
    const key = `${protocol} ${operation}`
    let figures = this.#operations.get(key)
    if (figures === undefined) {
      figures = new OperationFigures(protocol, operation)
      this.#operations.set(key, figures)
    }
    return figures
  }

  /** Those that had a request. */
  *[Symbol.iterator](): IterableIterator<OperationFigures> {
    for (const figures of this.#operations.values()) if (figures.requests > 0) yield figures
  }

  /** Of all operations together. */
  totals(): { readonly requests: number; readonly failures: number } {
    let requests = 0
    let failures = 0
    for (const one of this.#operations.values()) {
      requests += one.requests
      failures += one.failures
    }
    return { requests, failures }
  }
}

/** What a suite is given, and what it returns: tables for people, and aims that were met or not. */

export interface SuiteOptions {
  /** Less of everything: minutes become seconds, and the figures rougher. */
  readonly isQuick: boolean
  /** What is under way, for who waits. */
  readonly say: (line: string) => void
}

export interface Table {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly note?: string
}

/** A figure and the bound that it has to keep. */
export interface Aim {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly atLeast?: number
  readonly atMost?: number
}

export interface SuiteResult {
  readonly tables: readonly Table[]
  readonly aims: readonly Aim[]
}

export interface Suite {
  readonly about: string
  run(options: SuiteOptions): Promise<SuiteResult>
}

export function isMet({ value, atLeast, atMost }: Aim): boolean {
  return (
    !(value < (atLeast ?? Number.NEGATIVE_INFINITY)) &&
    value <= (atMost ?? Number.POSITIVE_INFINITY)
  )
}

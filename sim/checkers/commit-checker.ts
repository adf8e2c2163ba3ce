/**
 * What must hold for committed offsets, with one committer for each group and partition whose
 * offsets only grow:
 *
 *   1  what is read was committed
 *   2  it is not below an acknowledged commit: none is lost
 *   3  it is not below what was read before: none goes back
 */
import { Violation } from './violation.ts'

interface Commits {
  readonly begun: Set<number>
  /** The least that may be read: the largest acknowledged, or read before. */
  floor: number
}

const none = -1

export class CommitChecker {
  readonly #commits = new Map<string, Commits>()
  readonly counts = { begun: 0, acknowledged: 0, read: 0 }

  committing(name: string, offset: number): void {
    this.#of(name).begun.add(offset)
    this.counts.begun++
  }

  acknowledged(name: string, offset: number): void {
    const commits = this.#of(name)
    commits.floor = Math.max(commits.floor, offset)
    this.counts.acknowledged++
  }

  /** What a read must not be below: to be asked for when the read begins. */
  floorOf(name: string): number {
    return this.#of(name).floor
  }

  read(name: string, offset: number | undefined, floor: number): void {
    const commits = this.#of(name)
    this.counts.read++
    const found = offset ?? none
    if (found !== none && !commits.begun.has(found)) {
      throw new Violation(`${name}: ${found} was read, and never committed`)
    }
    if (found < floor) {
      const what = found === none ? 'nothing' : `${found}`
      throw new Violation(`${name}: ${floor} was committed, and ${what} is read`)
    }
    commits.floor = Math.max(commits.floor, found)
  }

  #of(name: string): Commits {
    let commits = this.#commits.get(name)
    if (commits === undefined) {
      commits = { begun: new Set(), floor: none }
      this.#commits.set(name, commits)
    }
    return commits
  }
}

/**
 * A member of a consumer group in a process of its own, which can be killed, and what it tells, one line of
 * JSON each:
 *
 *     {"assigned": [0, 1]}                 the partitions that it has from now on, all of them
 *     {"got": "0-15", "at": 12.5}          a message that it processes
 *     {"committed": "0-15", "at": 13.5}    the broker has acknowledged the commit of that message
 *     {"unsure": "0-15", "at": 13.5}       it may have, but maybe when the partition was another one's
 *
 * `at` is the time by the clock of the machine that all its processes share, in milliseconds: what they print
 * is not read in the order in which they do.
 *
 * A line on its standard input asks it to leave, and it ends.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { print } from './checks.ts'

/** What a member is told on its command line, in this order. */
export interface MemberOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly group: string
  /** The name of a static member; none if it is empty. */
  readonly instanceId: string
  /** The assignor's name as the client has it; its default if it is empty. */
  readonly assignor: string
  /** How long it may be silent. */
  readonly sessionMs: number
}

/** What a member program on Node tells of a message. */
export function tellOf(kind: MemberEvent['kind'], value: string | undefined): void {
  print({ [kind]: value, at: Number(process.hrtime.bigint()) / 1e6 })
}

/** How a client's member program is run. */
export interface MemberProgram {
  readonly program: string
  readonly argv: readonly string[]
}

const kinds = ['got', 'committed', 'unsure'] as const

export interface MemberEvent {
  readonly member: GroupMember
  readonly kind: (typeof kinds)[number]
  readonly value: string
  /** In milliseconds, by a clock that all members share. */
  readonly at: number
}

export class GroupMember {
  assigned: readonly number[] = []
  assignments = 0
  isGone = false
  readonly #child: ChildProcess
  #complaints = ''

  constructor(program: MemberProgram, options: MemberOptions, tell: (event: MemberEvent) => void) {
    const { bootstrap, topic, group, instanceId, assignor, sessionMs } = options
    const own = [bootstrap, topic, group, instanceId, assignor, String(sessionMs)]
    const argv = [...program.argv, ...own]
    this.#child = spawn(program.program, argv, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-1_000)
    })
    this.#child.stdin?.on('error', () => undefined)
    this.#child.once('exit', () => {
      this.isGone = true
      this.assigned = []
    })
    if (this.#child.stdout === null) throw new Error('a child without a pipe')
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return
      const told = JSON.parse(line)
      if (Array.isArray(told.assigned)) {
        this.assigned = told.assigned
        this.assignments++
      }
      for (const kind of kinds) {
        const value = told[kind]
        if (typeof value === 'string') tell({ member: this, kind, value, at: told.at })
      }
    })
  }

  get complaints(): string {
    return this.#complaints
  }

  /** Leaves the group, as a clean end does. */
  async leave(): Promise<void> {
    if (this.isGone) return
    const exit = once(this.#child, 'exit')
    this.#child.stdin?.write('leave\n')
    await exit
  }

  /** Dies without a word. */
  async crash(): Promise<void> {
    if (this.isGone) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }
}

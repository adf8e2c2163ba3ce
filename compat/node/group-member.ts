/**
 * A member of a consumer group in a process of its own, which can be killed, and what it tells, one line of
 * JSON each:
 *
 *     {"assigned": [0, 1]}     the partitions that it has from now on, all of them
 *     {"got": "0-15"}          a message that it has processed
 *     {"committed": "0-15"}    the broker has acknowledged the commit of that message
 *
 * A line on its standard input asks it to leave, and it ends.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** What a member is told on its command line, in this order. */
export interface MemberOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly group: string
  /** The name of a static member; none if it is empty. */
  readonly instanceId: string
  /** The assignor's name as the client has it; its default if it is empty. */
  readonly assignor: string
}

/** How a client's member program is run. */
export interface MemberProgram {
  readonly program: string
  readonly argv: readonly string[]
}

export interface MemberEvent {
  readonly member: GroupMember
  readonly kind: 'got' | 'committed'
  readonly value: string
}

export class GroupMember {
  assigned: readonly number[] = []
  assignments = 0
  isGone = false
  readonly #child: ChildProcess
  #complaints = ''

  constructor(program: MemberProgram, options: MemberOptions, tell: (event: MemberEvent) => void) {
    const { bootstrap, topic, group, instanceId, assignor } = options
    const argv = [...program.argv, bootstrap, topic, group, instanceId, assignor]
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
      if (typeof told.got === 'string') tell({ member: this, kind: 'got', value: told.got })
      if (typeof told.committed === 'string') {
        tell({ member: this, kind: 'committed', value: told.committed })
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

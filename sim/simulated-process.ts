/**
 * A process that can be killed: the seams of one run of a program. After `kill` nothing of it has an
 * effect any more: its timers don't fire, its disk operations never return, its connections are cut.
 * What it had begun to write when it was killed is in the file wholly, in part, or not at all.
 *
 *   the program --> ProcessDisk --(some ms)--> the disk --(some ms)--> the program
 *                        |                        |
 *                       killed here: not done   killed here: done, but nobody hears of it
 */
import assert from 'node:assert/strict'
import type { Chunks, Clock, Timer } from '@kaska/protocol'
import type { Disk, DiskEntry, DiskFile } from '../packages/kaska/src/log/disk.ts'
import { DiskError } from '../packages/kaska/src/log/disk.ts'
import type { ManualClock } from './manual-clock.ts'
import type { SeededRandom } from './seeded-random.ts'

export class SimulatedProcess {
  readonly name: string
  #isAlive = true
  readonly #onKill = new Set<() => void>()

  constructor(name: string) {
    this.name = name
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  /** Calls back when the process is killed. Returns how to call it off. */
  onKill(callback: () => void): () => void {
    this.#onKill.add(callback)
    return () => void this.#onKill.delete(callback)
  }

  kill(): void {
    if (!this.#isAlive) return
    this.#isAlive = false
    for (const callback of this.#onKill) callback()
    this.#onKill.clear()
  }
}

/** A process's view of the clock: its timers die with it. */
export class ProcessClock implements Clock {
  readonly #clock: ManualClock
  readonly #process: SimulatedProcess

  constructor(clock: ManualClock, process: SimulatedProcess) {
    this.#clock = clock
    this.#process = process
  }

  now(): number {
    return this.#clock.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#clock.after(delayMs, () => {
      if (this.#process.isAlive) callback()
    })
  }

  yield(): Promise<void> {
    return new Promise((resolve) => {
      this.after(0, resolve)
    })
  }
}

/** How long a disk takes, in milliseconds, and what goes wrong with it. Changed as a run goes on. */
export interface DiskBehaviour {
  operationMsMax: number
  syncMsMax: number
  /** How often a write is done at once, as Node's disk does it while the page cache takes it. */
  writeAtOnce: number
  /** The next syncs of files that fail; each takes what it synced with it. */
  failingSyncs: number
  /** How often an operation fails for good: a disk that is dying. */
  failure: number
  /** The next operation of this kind is the process's last one: done, or not. */
  lastOperation: DiskOperation | undefined
}

/** What can be the last thing that a process did. */
export type DiskOperation =
  | 'open'
  | 'rename'
  | 'remove'
  | 'truncate'
  | 'make directory'
  | 'sync directory'
  | 'sync'
  | 'write'
  | 'read'

/** A process's view of a disk: takes its time, and dies with the process. */
export class ProcessDisk implements Disk {
  readonly #disk: Disk
  readonly #clock: ManualClock
  readonly #random: SeededRandom
  readonly #process: SimulatedProcess
  readonly #behaviour: DiskBehaviour
  /** Operations since the process began: a bound on them turns a spin into a failure. */
  operations = 0
  readonly #operationsMax: number
  readonly #kill: () => void

  constructor(options: {
    disk: Disk
    clock: ManualClock
    random: SeededRandom
    process: SimulatedProcess
    behaviour: DiskBehaviour
    operationsMax: number
    /** Kills the process, or cuts its power. */
    kill: () => void
  }) {
    this.#disk = options.disk
    this.#clock = options.clock
    this.#random = options.random
    this.#process = options.process
    this.#behaviour = options.behaviour
    this.#operationsMax = options.operationsMax
    this.#kill = options.kill
  }

  get bootId(): string | undefined {
    return this.#disk.bootId
  }

  get syncsMax(): number {
    return this.#disk.syncsMax
  }

  async open(path: string, options?: { create?: boolean }): Promise<DiskFile> {
    const file = await this.delayed('open', () => this.#disk.open(path, options))
    return new ProcessFile(file, this)
  }

  list(path: string): Promise<DiskEntry[]> {
    return this.delayed('read', () => this.#disk.list(path))
  }

  makeDirectory(path: string): Promise<void> {
    return this.delayed('make directory', () => this.#disk.makeDirectory(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.delayed('rename', () => this.#disk.rename(from, to))
  }

  remove(path: string): Promise<void> {
    return this.delayed('remove', () => this.#disk.remove(path))
  }

  syncDirectory(path: string): Promise<void> {
    return this.delayed('sync directory', () => this.#disk.syncDirectory(path))
  }

  freeBytes(): Promise<number> {
    return this.delayed('read', () => this.#disk.freeBytes())
  }

  async lock(): Promise<{ release(): Promise<void> }> {
    const lock = await this.delayed('open', async () => {
      const taken = await this.#disk.lock()
      // It dies with its process.
      this.#process.onKill(() => void taken.release())
      return taken
    })
    return { release: () => this.delayed('read', () => lock.release()) }
  }

  /** Runs an operation somewhere within the time that it takes. */
  async delayed<T>(
    kind: DiskOperation,
    operation: () => Promise<T>,
    msMax: number = this.#behaviour.operationMsMax,
  ): Promise<T> {
    this.#count()
    await this.#pause(msMax)
    const isLast = this.#isLast(kind)
    if (isLast && this.#random.chance(0.5)) return this.#end()
    if (this.#random.chance(this.#behaviour.failure)) {
      throw new DiskError('failed', 'simulated: the disk does not answer')
    }
    const result = operation()
    result.catch(() => {
      // Handled below, unless the process is killed before.
    })
    if (isLast) {
      await result.catch(() => {})
      return this.#end()
    }
    await this.#pause(msMax)
    return result
  }

  #isLast(kind: DiskOperation): boolean {
    if (this.#behaviour.lastOperation !== kind) return false
    this.#behaviour.lastOperation = undefined
    return true
  }

  #end(): Promise<never> {
    this.#kill()
    return never()
  }

  write(file: DiskFile, position: number, chunks: Chunks): Promise<void> | undefined {
    this.#count()
    if (!this.#process.isAlive) return never()
    if (this.#random.chance(this.#behaviour.writeAtOnce)) return file.write(position, chunks)
    return this.#writeLater(file, position, chunks)
  }

  sync(file: DiskFile): Promise<void> {
    if (this.#behaviour.failingSyncs > 0) {
      this.#behaviour.failingSyncs--
      return this.delayed('sync', () => {
        return Promise.reject(new DiskError('failed', `simulated: ${file.path} cannot be synced`))
      })
    }
    return this.delayed('sync', () => file.sync(), this.#behaviour.syncMsMax)
  }

  async #writeLater(file: DiskFile, position: number, chunks: Chunks): Promise<void> {
    const callOff = this.#process.onKill(() => {
      // A fatal signal ends a long write between two of its pages.
      if (this.#random.chance(0.5)) return
      const done = file.write(position, prefix(chunks, this.#random))
      done?.catch(() => {})
    })
    await this.#pause(this.#behaviour.operationMsMax)
    if (this.#isLast('write')) return this.#end()
    callOff()
    const written = file.write(position, chunks)
    written?.catch(() => {})
    await this.#pause(this.#behaviour.operationMsMax)
    await written
  }

  #count(): void {
    this.operations++
    assert(this.operations <= this.#operationsMax, 'the broker spins: too many disk operations')
  }

  #pause(msMax: number): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#process.isAlive) return
      this.#clock.after(this.#random.between(0, msMax * 1000) / 1000, () => {
        if (this.#process.isAlive) resolve()
      })
    })
  }
}

class ProcessFile implements DiskFile {
  readonly #file: DiskFile
  readonly #disk: ProcessDisk

  constructor(file: DiskFile, disk: ProcessDisk) {
    this.#file = file
    this.#disk = disk
  }

  get path(): string {
    return this.#file.path
  }

  size(): Promise<number> {
    return this.#disk.delayed('read', () => this.#file.size())
  }

  read(position: number, into: Uint8Array): Promise<number> {
    return this.#disk.delayed('read', () => this.#file.read(position, into))
  }

  write(position: number, chunks: Chunks): Promise<void> | undefined {
    return this.#disk.write(this.#file, position, chunks)
  }

  sync(): Promise<void> {
    return this.#disk.sync(this.#file)
  }

  truncate(length: number): Promise<void> {
    return this.#disk.delayed('truncate', () => this.#file.truncate(length))
  }

  close(): Promise<void> {
    return this.#disk.delayed('read', () => this.#file.close())
  }
}

function never(): Promise<never> {
  return new Promise(() => {})
}

/** Some of the bytes, from the first on. */
function prefix(chunks: Chunks, random: SeededRandom): Uint8Array[] {
  let length = 0
  for (const chunk of chunks) length += chunk.length
  let rest = random.between(0, length)
  const kept: Uint8Array[] = []
  for (const chunk of chunks) {
    if (rest === 0) break
    kept.push(chunk.subarray(0, Math.min(rest, chunk.length)))
    rest -= Math.min(rest, chunk.length)
  }
  return kept
}

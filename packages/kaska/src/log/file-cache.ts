/**
 * Open files: at most `filesMax` that nobody uses stay open, however many topics there are. Whoever
 * uses a file holds it by a count, so a file that is removed stays readable for its readers and is
 * closed after the last of them. Where as many are in use as the process should have, others wait a while.
 */
import assert from 'node:assert/strict'
import type { Clock } from '@kaska/protocol'
import type { Disk, DiskFile } from './disk.ts'

/** A file in use. `release` is to be called once for each `acquire`. */
export class OpenFile {
  readonly path: string
  readonly file: DiskFile
  readonly #cache: FileCache
  /** The cache's: how many use it now, and whether it is still the one to be found by its path. */
  users = 1
  listed = true

  constructor(cache: FileCache, file: DiskFile) {
    this.#cache = cache
    this.path = file.path
    this.file = file
  }

  /** One more user, of a file that has one. */
  retain(): OpenFile {
    assert(this.users > 0, 'a file was retained that nobody uses')
    this.users++
    return this
  }

  release(): void {
    this.users--
    assert(this.users >= 0, 'a file was released twice')
    if (this.users === 0) this.#cache.unused(this)
  }
}

/** How long is waited for others to be done with their files, in ms: not for ever, who waits may have one himself. */
const patienceMs = 5_000

export class FileCache {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #filesMax: number
  readonly #usedMax: number
  /** Who waits for his turn, first come first served. */
  readonly #waiting = new Set<() => void>()
  readonly #open = new Map<string, OpenFile>()
  readonly #opening = new Map<string, Promise<OpenFile>>()
  /** Open and used by nobody, the longest unused first. */
  readonly #unused = new Set<OpenFile>()
  readonly #closing = new Set<Promise<void>>()

  constructor(disk: Disk, clock: Clock, filesMax: number) {
    this.#disk = disk
    this.#clock = clock
    this.#filesMax = filesMax
    this.#usedMax = disk.usedFilesMax ?? Number.POSITIVE_INFINITY
  }

  /** How many files are open. */
  get size(): number {
    return this.#open.size
  }

  /** The file, at once if it is open. `create` makes it where it does not exist. */
  acquire(path: string, options?: { create?: boolean }): OpenFile | Promise<OpenFile> {
    const open = this.#open.get(path)
    if (open === undefined) return this.#acquireLater(path, options)
    if (open.users === 0) this.#unused.delete(open)
    open.users++
    return open
  }

  /** Forgets a file that was removed or replaced: it is closed when nobody uses it any more. */
  forget(path: string): void {
    // Who is just opening it may have come before the removal: it is not kept for the next one.
    this.#opening.delete(path)
    const open = this.#open.get(path)
    if (open === undefined) return
    this.#open.delete(path)
    open.listed = false
    if (open.users === 0) {
      this.#unused.delete(open)
      this.#close(open)
    }
  }

  /** Closes everything; nothing may be in use. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#opening.values())
    for (const path of [...this.#open.keys()]) this.forget(path)
    await Promise.all(this.#closing)
  }

  /** The last user of a file has gone (`OpenFile.release` calls this). */
  unused(open: OpenFile): void {
    if (this.#waiting.size > 0) {
      const [next] = this.#waiting
      next?.()
    }
    if (!open.listed) {
      this.#close(open)
      return
    }
    this.#unused.add(open)
    if (this.#open.size > this.#filesMax) this.#makeRoom(0)
  }

  /** Closes those that are longest unused until there is room for some more. */
  #makeRoom(more: number): void {
    for (const oldest of this.#unused) {
      if (this.#open.size + more <= this.#filesMax) return
      this.forget(oldest.path)
    }
  }

  /** Resolves when somebody is done with a file, or has taken too long. */
  #turn(): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        timer.cancel()
        this.#waiting.delete(go)
        resolve()
      }
      const timer = this.#clock.after(patienceMs, go)
      this.#waiting.add(go)
    })
  }

  async #acquireLater(path: string, options?: { create?: boolean }): Promise<OpenFile> {
    const used = this.#open.size - this.#unused.size + this.#opening.size
    if (used >= this.#usedMax) await this.#turn()
    for (;;) {
      const open = this.#open.get(path)
      if (open !== undefined) {
        if (open.users === 0) this.#unused.delete(open)
        open.users++
        return open
      }
      const opening = this.#opening.get(path)
      if (opening === undefined) break
      // Whoever opens it first may fail for a reason of its own (it does not create it).
      await opening.catch(() => {})
    }
    this.#makeRoom(this.#opening.size + 1)
    const opening: Promise<OpenFile> = this.#disk.open(path, options).then((file) => {
      const open = new OpenFile(this, file)
      if (this.#opening.get(path) === opening) this.#open.set(path, open)
      else open.listed = false
      return open
    })
    this.#opening.set(path, opening)
    try {
      return await opening
    } finally {
      if (this.#opening.get(path) === opening) this.#opening.delete(path)
    }
  }

  #close(open: OpenFile): void {
    const closing = open.file.close().catch(() => {
      // Nothing depends on it: what has to be durable was synced while the file was in use.
    })
    this.#closing.add(closing)
    void closing.then(() => this.#closing.delete(closing))
  }
}

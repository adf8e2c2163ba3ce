/**
 * The log's disk on Node's files, below one directory.
 *
 * Writes go straight into the page cache from the event loop's thread while they are quick, which costs
 * a third of the latency and half of the processor time of the way through the thread pool; after one
 * that took longer than some milliseconds (the operating system throttles a writer that dirties
 * memory faster than the disk takes it) all writes of this disk take that way for a second. Everything
 * else takes the thread pool.
 *
 * Differences between systems: on Windows a directory cannot be synced, so that does nothing there
 * (untested); on macOS a sync empties the drive's own cache (libuv uses F_FULLFSYNC).
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Chunks, DataDirectoryError, DataDirectoryLockedError } from '@kaska/protocol'
import { type Disk, type DiskEntry, DiskError, type DiskFile } from '../log/disk.ts'
import { openFilesLimit } from './open-files-limit.ts'

/** A write on the event loop that takes longer than this sends the next ones to the thread pool. */
const slowWriteMs = 5
const slowPeriodMs = 1000
/** How often a file is tried to open while the process has as many open as it may, and the pause in between. */
const openTriesMax = 100
const openPauseMs = 50
/** The most views that one system call takes (IOV_MAX). */
const viewsMax = 1024

const openFile = promisify(fs.open)
const closeFile = promisify(fs.close)
const readFile = promisify(fs.read)
const writeViews = promisify(fs.writev) as unknown as (
  fd: number,
  views: Chunks,
  position: number,
) => Promise<{ bytesWritten: number }>
const syncData = promisify(fs.fdatasync)
const syncAll = promisify(fs.fsync)
const statFile = promisify(fs.fstat)
const truncateFile = promisify(fs.ftruncate)

export interface NodeDiskOptions {
  /** `synchronous` and `threads` fix the way that writes take; for measurements. */
  readonly writes?: 'adaptive' | 'synchronous' | 'threads'
}

/** Opens a directory, which is durably made if there is none. Rejects with DataDirectoryError. */
export async function openNodeDisk(root: string, options: NodeDiskOptions = {}): Promise<Disk> {
  try {
    const made = await fs.promises.mkdir(root, { recursive: true })
    if (made !== undefined) await syncNames(path.resolve(made), path.resolve(root))
  } catch (error) {
    throw new DataDirectoryError(`cannot make the directory ${root}: ${(error as Error).message}`, {
      cause: error,
    })
  }
  return new NodeDisk(root, options.writes ?? 'adaptive')
}

class NodeDisk implements Disk {
  readonly bootId: string | undefined
  readonly syncsMax: number
  readonly idleFilesMax: number | undefined
  readonly usedFilesMax: number | undefined
  readonly #root: string
  readonly #pace: WritePace

  constructor(root: string, writes: 'adaptive' | 'synchronous' | 'threads') {
    this.#root = path.resolve(root)
    this.bootId = readBootId()
    this.syncsMax = syncsMax()
    this.usedFilesMax = usedFilesMax()
    this.idleFilesMax = this.usedFilesMax && Math.min(4096, this.usedFilesMax)
    this.#pace = new WritePace(writes)
  }

  async open(name: string, options: { create?: boolean } = {}): Promise<DiskFile> {
    const flags = fs.constants.O_RDWR | (options.create ? fs.constants.O_CREAT : 0)
    const fd = await guard(openPatiently(this.#path(name), flags), `open ${name}`)
    return new NodeFile(name, fd, this.#pace)
  }

  async list(name: string): Promise<DiskEntry[]> {
    try {
      const entries = await fs.promises.readdir(this.#path(name), { withFileTypes: true })
      return entries.map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw diskError(error, `list ${name}`)
    }
  }

  async makeDirectory(name: string): Promise<void> {
    await guard(fs.promises.mkdir(this.#path(name), { recursive: true }), `make ${name}`)
  }

  rename(from: string, to: string): Promise<void> {
    return guard(fs.promises.rename(this.#path(from), this.#path(to)), `rename ${from} to ${to}`)
  }

  remove(name: string): Promise<void> {
    const options = { recursive: true, force: true }
    return guard(fs.promises.rm(this.#path(name), options), `remove ${name}`)
  }

  syncDirectory(name: string): Promise<void> {
    return guard(syncNamesIn(this.#path(name)), `sync ${name}`)
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await guard(fs.promises.statfs(this.#root), 'ask for free space')
    return bavail * bsize
  }

  /**
   * An exclusive transaction of SQLite on the file `lock`: a lock of the operating system on a range of
   * the file, which ends with the process, whatever its id was.
   */
  async lock(): Promise<{ release(): Promise<void> }> {
    const { DatabaseSync } = loadSqlite()
    const file = this.#path('lock')
    try {
      const database = new DatabaseSync(file, { timeout: 0 })
      try {
        database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
      } catch (error) {
        database.close()
        throw error
      }
      return { release: async () => database.close() }
    } catch (error) {
      const { errcode } = error as { errcode?: number }
      const busy = 5
      if (errcode !== undefined && (errcode & 0xff) === busy) {
        throw new DataDirectoryLockedError(`another process has ${this.#root} open`, {
          cause: error,
        })
      }
      throw new DataDirectoryError(`cannot lock ${file}: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  #path(name: string): string {
    return name === '' ? this.#root : path.join(this.#root, name)
  }
}

/**
 * Makes durable the names of directories that were made: of `first`, and of those in it down to `last`. Where
 * this user may write and not read, nothing can be synced.
 */
async function syncNames(first: string, last: string): Promise<void> {
  for (let made = last; made.length >= first.length; made = path.dirname(made)) {
    try {
      await syncNamesIn(path.dirname(made))
    } catch (error) {
      if (codeOf(error) !== 'EACCES') throw error
    }
  }
}

/** Makes durable the names in a directory. */
async function syncNamesIn(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  const fd = await openPatiently(directory, fs.constants.O_RDONLY)
  try {
    await syncAll(fd)
  } finally {
    await closeFile(fd)
  }
}

/** Others close theirs, of whom there may be many at once: each for the time of a write and a sync. */
async function openPatiently(name: string, flags: number): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      return await openFile(name, flags, 0o644)
    } catch (error) {
      if (!isTooMany(error) || tries === openTriesMax) throw error
    }
    await setTimeout(openPauseMs)
  }
}

/** Has the process, or the system, as many files open as it may? */
function isTooMany(error: unknown): boolean {
  return codeOf(error) === 'EMFILE' || codeOf(error) === 'ENFILE'
}

class NodeFile implements DiskFile {
  readonly path: string
  readonly #fd: number
  readonly #pace: WritePace

  constructor(name: string, fd: number, pace: WritePace) {
    this.path = name
    this.#fd = fd
    this.#pace = pace
  }

  async size(): Promise<number> {
    return (await guard(statFile(this.#fd), `stat ${this.path}`)).size
  }

  async modifiedAt(): Promise<number> {
    return Math.floor((await guard(statFile(this.#fd), `stat ${this.path}`)).mtimeMs)
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    let filled = 0
    while (filled < into.length) {
      const { bytesRead } = await guard(
        readFile(this.#fd, into, filled, into.length - filled, position + filled),
        `read ${this.path}`,
      )
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return filled
  }

  write(position: number, chunks: Chunks): Promise<void> | undefined {
    if (!this.#pace.isQuick()) return this.#writeInPool(position, chunks, 0)
    const started = performance.now()
    let written = 0
    try {
      let at = position
      let rest = chunks
      while (rest.length > 0) {
        const part = rest.length > viewsMax ? rest.slice(0, viewsMax) : rest
        const length = writeSync(this.#fd, part, at)
        at += length
        written += length
        rest = skipViews(rest, length)
      }
      return undefined
    } catch (error) {
      // A signal or a limit of the system: the pool's way waits for what this one cannot.
      if (codeOf(error) === 'EAGAIN') return this.#writeInPool(position, chunks, written)
      return Promise.reject(diskError(error, `write ${this.path}`))
    } finally {
      this.#pace.took(performance.now() - started)
    }
  }

  sync(): Promise<void> {
    return guard(syncData(this.#fd), `sync ${this.path}`)
  }

  async truncate(length: number): Promise<void> {
    if ((await this.size()) > length) {
      await guard(truncateFile(this.#fd, length), `truncate ${this.path}`)
    }
  }

  close(): Promise<void> {
    return guard(closeFile(this.#fd), `close ${this.path}`)
  }

  async #writeInPool(position: number, chunks: Chunks, done: number): Promise<void> {
    let written = done
    let rest = skipViews(chunks, done)
    while (rest.length > 0) {
      const part = rest.length > viewsMax ? rest.slice(0, viewsMax) : rest
      const { bytesWritten } = await guard(
        writeViews(this.#fd, part, position + written),
        `write ${this.path}`,
      )
      written += bytesWritten
      rest = skipViews(rest, bytesWritten)
    }
  }
}

/** Which way the writes of a disk take. */
class WritePace {
  readonly #writes: 'adaptive' | 'synchronous' | 'threads'
  #slowUntil = 0

  constructor(writes: 'adaptive' | 'synchronous' | 'threads') {
    this.#writes = writes
  }

  isQuick(): boolean {
    if (this.#writes !== 'adaptive') return this.#writes === 'synchronous'
    return this.#slowUntil === 0 || performance.now() > this.#slowUntil
  }

  took(milliseconds: number): void {
    this.#slowUntil = milliseconds > slowWriteMs ? performance.now() + slowPeriodMs : 0
  }
}

function writeSync(fd: number, views: Chunks, position: number): number {
  if (views.length > 1) return fs.writevSync(fd, views as Uint8Array[], position)
  const view = views[0] as Uint8Array
  return fs.writeSync(fd, view, 0, view.length, position)
}

/** What is left of the views behind the first `length` bytes; empty ones are dropped. */
function skipViews(views: Chunks, length: number): Chunks {
  let index = 0
  let left = length
  for (;;) {
    const view = views[index]
    if (view === undefined) return []
    if (left < view.length) break
    left -= view.length
    index++
  }
  if (index === 0 && left === 0) return views
  const rest = views.slice(index)
  if (left > 0) rest[0] = (rest[0] as Uint8Array).subarray(left)
  return rest
}

/** Two thirds of the thread pool: the others keep reads going. */
function syncsMax(): number {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)
  return Math.max(1, Math.floor((threads * 2) / 3))
}

/** A quarter of what the process may have open is the log's; the rest is for connections. */
function usedFilesMax(): number | undefined {
  const limit = openFilesLimit()
  return limit === undefined ? undefined : Math.max(1, Math.floor(limit / 4))
}

/** What tells one boot of the operating system from the next. */
function readBootId(): string | undefined {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', { encoding: 'utf8' }).trim()
  } catch {
    // Elsewhere the time of the boot, in minutes: an answer that changes too often is a safe one.
    return `boot-${Math.round((Date.now() / 1000 - os.uptime()) / 60)}`
  }
}

/** Loaded when it is needed, without the warning that it is experimental. */
function loadSqlite(): typeof import('node:sqlite') {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}

async function guard<T>(promise: Promise<T>, what: string): Promise<T> {
  try {
    return await promise
  } catch (error) {
    throw diskError(error, what)
  }
}

function diskError(error: unknown, what: string): DiskError {
  const code = codeOf(error)
  const message = `cannot ${what}: ${(error as Error).message}`
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new DiskError('full', message, { cause: error })
  }
  if (isTooMany(error)) {
    return new DiskError('full', `${message} (ulimit -n is the limit)`, { cause: error })
  }
  if (code === 'ENOENT') return new DiskError('missing', message, { cause: error })
  return new DiskError('failed', message, { cause: error })
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}

/**
 * The few operations that the log needs of a disk. Implementations: Node's files (`host/node-disk`),
 * memory (`log/memory-disk`, also behind `--memory`), and the simulated disk of `sim/`, which loses
 * what was not synced, tears it, flips bits, fills up and fails.
 *
 * Paths are relative to the disk's root, with `/` between their parts. Every method rejects with a
 * `DiskError`.
 */
import type { Chunks } from '@kaska/protocol'

export interface Disk {
  /**
   * Changes whenever writes that were not synced may have been lost since: the boot id of the
   * operating system. As long as it stays, everything that was written is still in the page cache.
   * Undefined where nothing can tell.
   */
  readonly bootId: string | undefined
  /** How many syncs may be under way at a time, so that reads and writes are not kept waiting. */
  readonly syncsMax: number
  /** How many files that nobody uses may stay open; undefined where it cannot tell. */
  readonly idleFilesMax?: number | undefined
  /** How many files may be in use at once before others wait for theirs; undefined where it cannot tell. */
  readonly usedFilesMax?: number | undefined
  /** Opens a file for reading and writing; `create` makes it where it does not exist. */
  open(path: string, options?: { create?: boolean }): Promise<DiskFile>
  /** The entries of a directory, unordered; empty where there is no such directory. */
  list(path: string): Promise<DiskEntry[]>
  /** Makes a directory and those above it. */
  makeDirectory(path: string): Promise<void>
  /** Replaces `to` if it exists. */
  rename(from: string, to: string): Promise<void>
  /**
   * Removes a file, or a directory with all that it holds; what is not there is removed already. Open
   * files stay readable.
   */
  remove(path: string): Promise<void>
  /** Makes creations, renames and removals in this directory durable. */
  syncDirectory(path: string): Promise<void>
  /** Bytes that can still be written. */
  freeBytes(): Promise<number>
  /** Keeps every other process out until `release`, or until this process dies. Rejects with
   * DataDirectoryLockedError. */
  lock(): Promise<{ release(): Promise<void> }>
}

export interface DiskEntry {
  readonly name: string
  readonly isDirectory: boolean
}

export interface DiskFile {
  readonly path: string
  size(): Promise<number>
  /** Wall time of the last write, in milliseconds. Only a disk that keeps it has this. */
  modifiedAt?(): Promise<number>
  /** Reads at a position until `into` is full or the file ends; returns the bytes read. */
  read(position: number, into: Uint8Array): Promise<number>
  /**
   * Writes the views one after the other, gathered. Returns undefined when it was done at once, else
   * a promise. After a failure an unknown part of it may be in the file.
   */
  write(position: number, chunks: Chunks): Promise<void> | undefined
  /** Returns when all that was written before the call is durable (fdatasync). */
  sync(): Promise<void>
  /** Cuts the file to `length`; a shorter one stays as it is. */
  truncate(length: number): Promise<void>
  close(): Promise<void>
}

/** Why a disk refused: `full` can pass; `failed` is for good. */
export class DiskError extends Error {
  override readonly name = 'DiskError'
  /** `full`: nothing is wrong but that there is no space, or that no more files may be open now. */
  readonly kind: 'full' | 'failed' | 'missing'

  constructor(kind: DiskError['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

/** Runs the task with the file, and closes it; undefined where there is no such file. Past the cache, which is
 * for files that are used. */
export async function withFile<T>(
  disk: Disk,
  path: string,
  task: (file: DiskFile) => Promise<T>,
): Promise<T | undefined> {
  let file: DiskFile
  try {
    file = await disk.open(path)
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') return undefined
    throw error
  }
  try {
    return await task(file)
  } finally {
    await file.close()
  }
}

/**
 * A disk in memory that does to its files what a real one may do when the power fails:
 *
 *   - What was written since the last sync of a file is in its page cache. At a crash each dirty page
 *     (4 KiB) reached the disk as it was, or not at all, or some of its sectors (512 bytes) did; the
 *     file's length is the synced one, the written one, or what the kept pages need. What never
 *     reached the disk within that length reads as zeros, or as what an older sync left there.
 *   - A creation, renaming or removal that no sync of its directory covered may be lost; within a
 *     directory they get lost from the newest back.
 *
 * It can also be full, fail at any operation, and have its bits flipped. All of it is determined by
 * the random numbers that it is given. Every operation takes effect when it is called.
 */
import { copyChunks, DataDirectoryLockedError } from '@kaska/protocol'
import {
  type Disk,
  type DiskEntry,
  DiskError,
  type DiskFile,
} from '../packages/kaska/src/log/disk.ts'
import type { SeededRandom } from './seeded-random.ts'

const pageBytes = 4096
const sectorBytes = 512

/** A file's bytes: in the page cache, and on the disk. */
class Inode {
  cache = new Uint8Array(0)
  size = 0
  disk = new Uint8Array(0)
  diskSize = 0
  readonly dirtyPages = new Set<number>()

  write(position: number, bytes: Uint8Array): void {
    const end = position + bytes.length
    if (end > this.cache.length) this.cache = grown(this.cache, end)
    this.cache.set(bytes, position)
    if (end > this.size) this.size = end
    const last = Math.floor((end - 1) / pageBytes)
    for (let page = Math.floor(position / pageBytes); page <= last; page++) {
      this.dirtyPages.add(page)
    }
  }

  truncate(length: number): void {
    if (length >= this.size) return
    this.cache.fill(0, length, this.size)
    this.size = length
    this.dirtyPages.add(Math.floor(length / pageBytes))
  }

  sync(): void {
    for (const page of this.dirtyPages) this.#persist(page * pageBytes, pageBytes)
    this.dirtyPages.clear()
    if (this.size < this.diskSize) this.disk.fill(0, this.size, this.diskSize)
    this.diskSize = this.size
  }

  crash(random: SeededRandom): void {
    let keptEnd = 0
    for (const page of [...this.dirtyPages].sort((a, b) => a - b)) {
      const start = page * pageBytes
      const fate = random.pick(['kept', 'dropped', 'torn'])
      if (fate === 'dropped') continue
      for (let at = start; at < start + pageBytes; at += sectorBytes) {
        if (fate === 'torn' && random.chance(0.5)) continue
        this.#persist(at, sectorBytes)
        keptEnd = Math.max(keptEnd, Math.min(at + sectorBytes, this.size))
      }
    }
    const sizes = [this.diskSize, this.size, Math.max(this.diskSize, keptEnd)]
    this.diskSize = this.dirtyPages.size === 0 ? this.diskSize : random.pick(sizes)
    if (this.disk.length < this.diskSize) this.disk = grown(this.disk, this.diskSize)
    // What lies behind the end is not seen by anybody any more.
    this.disk.fill(0, this.diskSize)
    this.cache = this.disk.slice()
    this.size = this.diskSize
    this.dirtyPages.clear()
  }

  #persist(position: number, length: number): void {
    const end = Math.min(position + length, this.cache.length)
    if (end <= position) return
    if (end > this.disk.length) this.disk = grown(this.disk, end)
    this.disk.set(this.cache.subarray(position, end), position)
  }
}

/** Names, as they are and as a crash would leave them. */
class Directory {
  entries = new Map<string, Inode | Directory>()
  durable = new Map<string, Inode | Directory>()
  /** What was changed since the last sync, in order. */
  changes: ((entries: Map<string, Inode | Directory>) => void)[] = []

  change(change: (entries: Map<string, Inode | Directory>) => void): void {
    change(this.entries)
    this.changes.push(change)
  }

  sync(): void {
    this.durable = new Map(this.entries)
    this.changes = []
  }

  crash(random: SeededRandom): void {
    const kept = random.between(0, this.changes.length)
    for (const change of this.changes.slice(0, kept)) change(this.durable)
    this.entries = new Map(this.durable)
    this.changes = []
    for (const entry of this.entries.values()) entry.crash(random)
  }
}

export class SimulatedDisk implements Disk {
  readonly syncsMax = 16
  /** All files together may have so many bytes. May be changed at any time. */
  bytesMax = Number.POSITIVE_INFINITY
  /** How many operations there were. */
  operations = 0
  /** The operations that fail for good, by their number from 1 on. */
  fails: (operation: number) => boolean = () => false
  readonly #random: SeededRandom
  readonly #root = new Directory()
  #crashes = 0
  #isLocked = false

  constructor(random: SeededRandom) {
    this.#random = random
  }

  get bootId(): string {
    return `boot-${this.#crashes}`
  }

  /** Bytes of all files that have a name. */
  get bytes(): number {
    return bytesIn(this.#root)
  }

  /** The power fails: see the head. Files that were open are gone. */
  crash(): void {
    this.#crashes++
    this.#isLocked = false
    this.#root.crash(this.#random)
  }

  /** The process ends: the lock is free, the page cache stays. */
  kill(): void {
    this.#isLocked = false
  }

  /** Changes bytes of a file behind everybody's back, on the disk and in the cache. */
  damage(path: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const inode = this.#inode(path)
    const bytes = change(inode.cache.slice(0, inode.size))
    inode.cache = bytes.slice()
    inode.disk = bytes.slice()
    inode.size = bytes.length
    inode.diskSize = bytes.length
  }

  /** A file's bytes as a process reads them. */
  contentOf(path: string): Uint8Array {
    const inode = this.#inode(path)
    return inode.cache.slice(0, inode.size)
  }

  /** The paths of all files. */
  paths(): string[] {
    const paths: string[] = []
    const visit = (directory: Directory, prefix: string) => {
      for (const [name, entry] of directory.entries) {
        if (entry instanceof Directory) visit(entry, `${prefix}${name}/`)
        else paths.push(prefix + name)
      }
    }
    visit(this.#root, '')
    return paths.sort()
  }

  async open(path: string, options: { create?: boolean } = {}): Promise<DiskFile> {
    this.#operation(`open ${path}`)
    const { directory, name } = this.#parent(path)
    let inode = directory.entries.get(name)
    if (inode === undefined && options.create) {
      const created = new Inode()
      directory.change((entries) => entries.set(name, created))
      inode = created
    }
    if (inode instanceof Inode) return this.#file(path, inode)
    throw missing(path)
  }

  async list(path: string): Promise<DiskEntry[]> {
    this.#operation(`list ${path}`)
    const directory = this.#directory(path)
    const entries = [...(directory?.entries ?? [])]
    return entries.map(([name, entry]) => ({ name, isDirectory: entry instanceof Directory }))
  }

  async makeDirectory(path: string): Promise<void> {
    this.#operation(`make ${path}`)
    let directory = this.#root
    for (const name of path.split('/')) {
      let next = directory.entries.get(name)
      if (next === undefined) {
        const created = new Directory()
        directory.change((entries) => entries.set(name, created))
        next = created
      }
      if (next instanceof Inode) throw new DiskError('failed', `${path} is a file`)
      directory = next
    }
  }

  async rename(from: string, to: string): Promise<void> {
    this.#operation(`rename ${from} ${to}`)
    const source = this.#parent(from)
    const target = this.#parent(to)
    const entry = source.directory.entries.get(source.name)
    if (entry === undefined) throw missing(from)
    target.directory.change((entries) => {
      entries.set(target.name, entry)
      if (target.directory === source.directory) entries.delete(source.name)
    })
    if (target.directory !== source.directory) {
      source.directory.change((entries) => entries.delete(source.name))
    }
  }

  async remove(path: string): Promise<void> {
    this.#operation(`remove ${path}`)
    const slash = path.lastIndexOf('/')
    const directory = slash < 0 ? this.#root : this.#directory(path.slice(0, slash))
    directory?.change((entries) => entries.delete(path.slice(slash + 1)))
  }

  async syncDirectory(path: string): Promise<void> {
    this.#operation(`sync directory ${path}`)
    const directory = this.#directory(path)
    if (directory === undefined) throw missing(path)
    directory.sync()
  }

  async freeBytes(): Promise<number> {
    return this.bytesMax - this.bytes
  }

  async lock(): Promise<{ release(): Promise<void> }> {
    this.#operation('lock')
    if (this.#isLocked) throw new DataDirectoryLockedError('another process has the disk')
    this.#isLocked = true
    const crashes = this.#crashes
    return {
      release: async () => {
        if (crashes === this.#crashes) this.#isLocked = false
      },
    }
  }

  #file(path: string, inode: Inode): DiskFile {
    const crashes = this.#crashes
    const operation = (what: string) => {
      this.#operation(`${what} ${path}`)
      if (crashes !== this.#crashes) throw new DiskError('failed', `${path} was open at a crash`)
    }
    const write = (position: number, bytes: Uint8Array): DiskError | undefined => {
      if (crashes !== this.#crashes) return new DiskError('failed', `${path} was open at a crash`)
      const growth = Math.max(0, position + bytes.length - inode.size)
      const free = this.bytesMax - (this.bytesMax === Number.POSITIVE_INFINITY ? 0 : this.bytes)
      if (growth <= free) {
        inode.write(position, bytes)
        return undefined
      }
      const kept = Math.max(0, Math.min(bytes.length, bytes.length - growth + Math.max(0, free)))
      if (kept > 0) inode.write(position, bytes.slice(0, kept))
      return new DiskError('full', `simulated: no space for ${path}`)
    }
    return {
      path,
      size: async () => {
        operation('size')
        return inode.size
      },
      read: async (position, into) => {
        operation('read')
        const end = Math.min(inode.size, position + into.length)
        if (end <= position) return 0
        into.set(inode.cache.subarray(position, end))
        return end - position
      },
      write: (position, chunks) => {
        const failure = this.#count(`write ${path}`) ?? write(position, copyChunks(chunks))
        return failure === undefined ? undefined : Promise.reject(failure)
      },
      sync: async () => {
        operation('sync')
        inode.sync()
      },
      truncate: async (length) => {
        operation('truncate')
        inode.truncate(length)
      },
      close: async () => {},
    }
  }

  #operation(what: string): void {
    const failure = this.#count(what)
    if (failure !== undefined) throw failure
  }

  #count(what: string): DiskError | undefined {
    this.operations++
    if (!this.fails(this.operations)) return undefined
    return new DiskError('failed', `simulated: cannot ${what}`)
  }

  #parent(path: string): { directory: Directory; name: string } {
    const slash = path.lastIndexOf('/')
    const directory = slash < 0 ? this.#root : this.#directory(path.slice(0, slash))
    if (directory === undefined) throw missing(path)
    return { directory, name: path.slice(slash + 1) }
  }

  #directory(path: string): Directory | undefined {
    let directory = this.#root
    if (path === '') return directory
    for (const name of path.split('/')) {
      const next = directory.entries.get(name)
      if (!(next instanceof Directory)) return undefined
      directory = next
    }
    return directory
  }

  #inode(path: string): Inode {
    const { directory, name } = this.#parent(path)
    const inode = directory.entries.get(name)
    if (inode instanceof Inode) return inode
    throw missing(path)
  }
}

function bytesIn(directory: Directory): number {
  let bytes = 0
  for (const entry of directory.entries.values()) {
    bytes += entry instanceof Directory ? bytesIn(entry) : entry.size
  }
  return bytes
}

function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(length, bytes.length * 2, pageBytes))
  larger.set(bytes)
  return larger
}

function missing(path: string): DiskError {
  return new DiskError('missing', `there is no ${path}`)
}

/**
 * A disk in memory, also behind `kaska serve --memory`. It keeps the written views by reference, in
 * the order of their positions, and copies nothing: what is read back is copied into the reader's
 * buffer, as from any disk. Its limit counts the bytes that were written.
 */
import type { Chunks } from '@kaska/protocol'
import { type Disk, type DiskEntry, DiskError, type DiskFile } from './disk.ts'

export interface MemoryDiskOptions {
  /** How many bytes all files may hold together; no limit unless given. */
  readonly bytesMax?: number
}

interface Content {
  /** Where each of the views begins, and the views: without gaps. */
  starts: number[]
  views: Uint8Array[]
  size: number
  /** Does a name lead to it? What is removed lives on for those who have it open, uncounted. */
  isListed: boolean
}

export class MemoryDisk implements Disk {
  readonly bootId = 'memory'
  readonly syncsMax = Number.POSITIVE_INFINITY
  readonly #bytesMax: number
  #bytes = 0
  readonly #files = new Map<string, Content>()
  /** Every directory, with the names of what is in it; '' is the root. */
  readonly #directories = new Map<string, Map<string, boolean>>([['', new Map()]])

  constructor(options: MemoryDiskOptions = {}) {
    this.#bytesMax = options.bytesMax ?? Number.POSITIVE_INFINITY
  }

  async open(path: string, options: { create?: boolean } = {}): Promise<DiskFile> {
    let content = this.#files.get(path)
    if (content === undefined) {
      const { directory, name } = split(path)
      const entries = this.#directories.get(directory)
      if (!options.create || entries === undefined) {
        throw new DiskError('missing', `there is no file ${path}`)
      }
      content = { starts: [], views: [], size: 0, isListed: true }
      this.#files.set(path, content)
      entries.set(name, false)
    }
    return this.#file(path, content)
  }

  async list(path: string): Promise<DiskEntry[]> {
    const entries = this.#directories.get(path) ?? new Map<string, boolean>()
    return [...entries].map(([name, isDirectory]) => ({ name, isDirectory }))
  }

  async makeDirectory(path: string): Promise<void> {
    if (this.#directories.has(path)) return
    const { directory, name } = split(path)
    await this.makeDirectory(directory)
    this.#directories.set(path, new Map())
    this.#directories.get(directory)?.set(name, true)
  }

  async rename(from: string, to: string): Promise<void> {
    const content = this.#files.get(from)
    const source = split(from)
    const target = split(to)
    const entries = this.#directories.get(target.directory)
    if (content === undefined || entries === undefined) {
      throw new DiskError('missing', `there is no file ${from}`)
    }
    const replaced = this.#files.get(to)
    if (replaced !== undefined) this.#unlist(replaced)
    this.#files.delete(from)
    this.#directories.get(source.directory)?.delete(source.name)
    this.#files.set(to, content)
    entries.set(target.name, false)
  }

  async remove(path: string): Promise<void> {
    const { directory, name } = split(path)
    const content = this.#files.get(path)
    if (content !== undefined) {
      this.#files.delete(path)
      this.#unlist(content)
    } else {
      for (const entry of this.#directories.get(path)?.keys() ?? []) {
        await this.remove(`${path}/${entry}`)
      }
      this.#directories.delete(path)
    }
    this.#directories.get(directory)?.delete(name)
  }

  async syncDirectory(_path: string): Promise<void> {}

  async freeBytes(): Promise<number> {
    return this.#bytesMax - this.#bytes
  }

  async lock(): Promise<{ release(): Promise<void> }> {
    return { release: async () => {} }
  }

  #unlist(content: Content): void {
    content.isListed = false
    this.#bytes -= content.size
  }

  #file(path: string, content: Content): DiskFile {
    return {
      path,
      size: async () => content.size,
      read: async (position, into) => read(content, position, into),
      write: (position, chunks) => {
        let length = 0
        for (const chunk of chunks) length += chunk.length
        const growth = content.isListed ? Math.max(0, position + length - content.size) : 0
        if (this.#bytes + growth > this.#bytesMax) {
          return Promise.reject(new DiskError('full', `the ${this.#bytesMax} bytes are full`))
        }
        this.#bytes += growth
        if (position === content.size) appendViews(content, chunks)
        else overwrite(content, position, chunks)
        return undefined
      },
      sync: async () => {},
      truncate: async (length) => {
        if (length > content.size) return
        if (content.isListed) this.#bytes -= content.size - length
        truncate(content, length)
      },
      close: async () => {},
    }
  }
}

function split(path: string): { directory: string; name: string } {
  const slash = path.lastIndexOf('/')
  return { directory: slash < 0 ? '' : path.slice(0, slash), name: path.slice(slash + 1) }
}

function appendViews(content: Content, chunks: Chunks): void {
  for (const chunk of chunks) {
    if (chunk.length === 0) continue
    content.starts.push(content.size)
    content.views.push(chunk)
    content.size += chunk.length
  }
}

/** A write that is not at the end: the views before and behind it stay, cut to what is left. */
function overwrite(content: Content, position: number, chunks: Chunks): void {
  const { starts, views } = content
  const sizeBefore = content.size
  const all = views.map((view, index) => ({ start: starts[index] as number, view }))
  content.starts = []
  content.views = []
  content.size = 0
  for (const { start, view } of all) {
    if (start < position) appendViews(content, [view.subarray(0, position - start)])
  }
  if (content.size < position) appendViews(content, [new Uint8Array(position - content.size)])
  appendViews(content, chunks)
  const end = content.size
  if (end >= sizeBefore) return
  for (const { start, view } of all) {
    if (start + view.length > end) appendViews(content, [view.subarray(Math.max(0, end - start))])
  }
}

function truncate(content: Content, length: number): void {
  while (content.views.length > 0) {
    const start = content.starts.at(-1) as number
    if (start < length) {
      content.views.push((content.views.pop() as Uint8Array).subarray(0, length - start))
      break
    }
    content.starts.pop()
    content.views.pop()
  }
  content.size = length
}

function read(content: Content, position: number, into: Uint8Array): number {
  const { starts, views } = content
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((starts[middle] as number) <= position) low = middle
    else high = middle - 1
  }
  let filled = 0
  for (let index = low; index < views.length && filled < into.length; index++) {
    const skipped = Math.max(0, position - (starts[index] as number))
    const view = (views[index] as Uint8Array).subarray(skipped, skipped + into.length - filled)
    into.set(view, filled)
    filled += view.length
  }
  return filled
}

/**
 * Cuts a log at a position. What is cut off is moved aside to `<base>.cut-<n>` in the same directory,
 * durable before anything is cut, and never deleted; only a tail of nothing but zeros is not kept.
 */
import type { DiskFile } from './disk.ts'
import type { LogShared } from './log-config.ts'
import type { Segment } from './segment.ts'

const copyBytes = 1024 * 1024

/**
 * Cuts the first of the segments at `position`, and moves the others away whole. Returns how many bytes
 * went, and the names that they have now.
 */
export async function cutSegments(
  shared: Pick<LogShared, 'disk' | 'files'>,
  directory: string,
  segments: readonly Segment[],
  position: number,
): Promise<{ bytes: number; names: string[] }> {
  const { disk, files } = shared
  const taken = new Set((await disk.list(directory)).map(({ name }) => name))
  const names: string[] = []
  let bytes = 0
  for (const [index, segment] of [...segments.entries()].reverse()) {
    const open = await files.acquire(segment.logPath)
    const size = await open.file.size()
    const from = index === 0 ? position : 0
    bytes += size - from
    const isEmpty = await isZero(open.file, from, size)
    const name = isEmpty ? undefined : freeName(segment, taken)
    if (index > 0) {
      open.release()
      segment.index.forget()
      files.forget(segment.logPath)
      if (name === undefined) await disk.remove(segment.logPath)
      else await disk.rename(segment.logPath, `${directory}/${name}`)
      for (const ending of ['.index', '.timeindex']) {
        if (taken.has(`${segmentFile(segment)}${ending}`)) await disk.remove(segment.path + ending)
      }
    } else {
      try {
        if (name !== undefined) await keepTail(disk, open.file, from, size, `${directory}/${name}`)
        await disk.syncDirectory(directory)
        await open.file.truncate(from)
        // Else a crash could bring back what was cut, behind what is appended now.
        await open.file.sync()
      } finally {
        open.release()
      }
      segment.size = from
    }
    if (name !== undefined) names.push(name)
  }
  await disk.syncDirectory(directory)
  return { bytes, names: names.reverse() }
}

function segmentFile(segment: Segment): string {
  return segment.path.slice(segment.path.lastIndexOf('/') + 1)
}

/** `<base>.cut-<n>` for the first n that is free; it is taken from then on. */
export function freeName(segment: Segment, taken: Set<string>): string {
  for (let number = 1; ; number++) {
    const name = `${segmentFile(segment)}.cut-${number}`
    if (taken.has(name)) continue
    taken.add(name)
    return name
  }
}

async function isZero(file: DiskFile, from: number, to: number): Promise<boolean> {
  const buffer = new Uint8Array(Math.min(copyBytes, to - from))
  for (let position = from; position < to; ) {
    const length = await file.read(position, buffer.subarray(0, to - position))
    if (length === 0) return true
    if (!buffer.subarray(0, length).every((byte) => byte === 0)) return false
    position += length
  }
  return true
}

/** Makes a durable copy of what is cut off; none where that fails, since who tries again makes another. */
async function keepTail(
  disk: LogShared['disk'],
  source: DiskFile,
  from: number,
  to: number,
  path: string,
): Promise<void> {
  try {
    await copyTail(disk, source, from, to, path)
  } catch (error) {
    await disk.remove(path).catch(() => {})
    throw error
  }
}

async function copyTail(
  disk: LogShared['disk'],
  source: DiskFile,
  from: number,
  to: number,
  path: string,
): Promise<void> {
  const target = await disk.open(path, { create: true })
  try {
    for (let position = from; position < to; ) {
      const buffer = new Uint8Array(Math.min(copyBytes, to - position))
      const length = await source.read(position, buffer)
      if (length === 0) break
      await target.write(position - from, [buffer.subarray(0, length)])
      position += length
    }
    await target.sync()
  } finally {
    await target.close()
  }
}

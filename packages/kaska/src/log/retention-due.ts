/**
 * When a log that is not open may have something to delete: judged by the names in its directory and by one
 * small file, without opening it. What this says may be too early, never too late: a log that is due is
 * opened, and its own rules decide (`LogFront.applyRetention`).
 */
import { checkpointName, decodeCheckpoint, readFile } from './checkpoint-file.ts'
import { withFile } from './disk.ts'
import { IndexEntries, timeEntryBytes } from './index-entries.ts'
import type { LogConfig, LogShared } from './log-config.ts'
import { segmentBaseOf, segmentName } from './segment.ts'

/** Only opening it can tell. */
const unknown = 0
const never = Number.POSITIVE_INFINITY

/**
 * Wall time before which the log in `directory` has nothing to delete, if nobody writes to it: 0 where
 * only opening it can tell. Rejects with DiskError.
 */
export async function retentionDue(
  directory: string,
  { retentionMs, retentionBytes }: LogConfig,
  shared: Pick<LogShared, 'disk' | 'crc32c'>,
): Promise<number> {
  if (retentionMs === undefined && retentionBytes === undefined) return never
  const names = (await shared.disk.list(directory)).map(({ name }) => name)
  const bases = names.map(segmentBaseOf).filter((base) => base !== undefined)
  const first = bases.length === 0 ? undefined : Math.min(...bases)
  if (first === undefined) return never
  const path = `${directory}/${segmentName(first)}`
  if (bases.length > 1) {
    if (retentionBytes !== undefined || retentionMs === undefined) return unknown
    // Of a segment that is written no more the last entry is its largest timestamp.
    const newest = await lastTimestamp(shared, `${path}.timeindex`)
    return newest === undefined ? unknown : newest + retentionMs + 1
  }
  if (!names.includes(checkpointName)) return unknown
  const bytes = await readFile(shared.disk, `${directory}/${checkpointName}`)
  const checkpoint = bytes && decodeCheckpoint(bytes, shared.crc32c)?.checkpoint
  if (checkpoint?.segmentBase !== first) return unknown
  if (checkpoint.position === 0) {
    const size = await withFile(shared.disk, `${path}.log`, (file) => file.size())
    return size === 0 ? never : unknown
  }
  // A single segment is too much only where nothing is to be kept.
  if (retentionBytes === 0) return unknown
  if (retentionMs === undefined) return never
  // What was written behind the checkpoint can only make it later.
  return checkpoint.maxTimestamp < 0 ? unknown : checkpoint.maxTimestamp + retentionMs + 1
}

async function lastTimestamp(
  shared: Pick<LogShared, 'disk'>,
  path: string,
): Promise<number | undefined> {
  return await withFile(shared.disk, path, async (file) => {
    const size = await file.size()
    if (size < timeEntryBytes || size % timeEntryBytes !== 0) return undefined
    const bytes = new Uint8Array(timeEntryBytes)
    const length = await file.read(size - timeEntryBytes, bytes)
    return length < timeEntryBytes ? undefined : new IndexEntries(bytes).timeEntry(0).timestamp
  })
}

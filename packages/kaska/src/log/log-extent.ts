/**
 * What a log holds, judged without opening it: by the names in its directory, the sizes of its files and its
 * checkpoint. It says nothing where only opening it can tell, after a crash for instance.
 */
import type { OffsetBounds } from '@kaska/protocol'
import { checkpointName, decodeCheckpoint, readFile } from './checkpoint-file.ts'
import { withFile } from './disk.ts'
import type { LogShared } from './log-config.ts'
import { segmentBaseOf, segmentName } from './segment.ts'

export interface LogExtent extends OffsetBounds {
  /** Of the batches in its segments; the indexes beside them are a part in a thousand of that. */
  readonly bytes: number
}

export const emptyExtent: LogExtent = Object.freeze({ startOffset: 0, endOffset: 0, bytes: 0 })

/** Undefined where only opening the log can tell. Rejects with DiskError. */
export async function logExtent(
  directory: string,
  { disk, crc32c }: Pick<LogShared, 'disk' | 'crc32c'>,
): Promise<LogExtent | undefined> {
  const names = (await disk.list(directory)).map(({ name }) => name)
  if (names.length === 0) return emptyExtent
  const bases = names.map(segmentBaseOf).filter((base) => base !== undefined)
  if (bases.length === 0 || !names.includes(checkpointName)) return undefined
  const found = await readFile(disk, `${directory}/${checkpointName}`)
  const checkpoint = found && decodeCheckpoint(found, crc32c)?.checkpoint
  const last = Math.max(...bases)
  if (checkpoint?.segmentBase !== last) return undefined
  let bytes = 0
  for (const base of bases) {
    const path = `${directory}/${segmentName(base)}.log`
    const size = await withFile(disk, path, (file) => file.size())
    // Something was written behind the checkpoint.
    if (size === undefined || (base === last && size !== checkpoint.position)) return undefined
    bytes += size
  }
  const startOffset = Math.max(checkpoint.startOffset, Math.min(...bases))
  return { startOffset, endOffset: Math.max(startOffset, checkpoint.offset), bytes }
}

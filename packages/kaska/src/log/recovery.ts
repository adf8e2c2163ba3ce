/**
 * What is found in a partition's directory, judged. What lies before the checkpoint was synced, and is
 * not looked at. Every batch behind it is checked: its length, CRC and counts, that its offset is the
 * next one, that its leader epoch did not go back. Where that fails, at position p:
 *
 *       | sound batch | written since   | hole | verdict
 *       | behind p    | the last boot   | at p |
 *    ---+-------------+-----------------+------+----------------------------------------------------
 *     1 | no          | -               | -    | torn tail: cut at p, moved aside
 *     2 | yes         | yes             | -    | damage: offline
 *     3 | yes         | no              | no   | damage: offline
 *     4 | yes         | no              | yes  | lost writes: cut at p, moved aside
 *     5 | p lies before the checkpoint         | damage: offline
 *
 * 1. A process that was killed leaves at most the beginning of its last write; a machine that lost its
 *    power leaves any part of what was not synced. Nothing sound is lost by the cut.
 * 2. Since the machine has not been started anew, all that was written is still in the page cache, in
 *    order: only something that was whole once can have a sound batch behind it. That it was written
 *    since the boot is seen by the leader epoch of the sound batch before p or behind it, and the first
 *    epoch since the boot (`LogShared.bootEpoch`).
 * 3. Whole bytes that disagree with their CRC were not torn by a power failure: that leaves holes.
 * 4. The pages of one unsynced write reach the disk in any order, so a later batch of it can survive an
 *    earlier one. A hole is a sector of zeros, or a missing end of a file whose next segment exists. What
 *    lies behind a hole was never acknowledged under `--sync always`: a sync covers all that was
 *    written before it, so an acknowledged batch has no hole before it.
 * 5. What was synced and is not there any more is damage, whatever it looks like.
 *
 * Offline, a partition serves what lies before p; only `kaska log repair` changes its files. What is
 * kept is written again in place and synced before it can be read: after a failed sync the page cache
 * holds pages that it believes to be on the disk, so a hit there is no proof, and a sync alone does
 * nothing for them.
 */
import type { BatchHeader } from '@kaska/protocol'
import { type Checkpoint, checkpointName, decodeCheckpoint, readFile } from './checkpoint-file.ts'
import { DiskError, type DiskFile } from './disk.ts'
import type { LogConfig, LogShared } from './log-config.ts'
import { ProducerState } from './producer-state.ts'
import { parentOf, Segment, segmentBaseOf } from './segment.ts'
import { batchBytes, scanSegment } from './segment-scan.ts'
import { endsEarly, findSoundBatch, hasHole } from './segment-search.ts'
import { cutSegments } from './tail-cut.ts'

/** A log as it comes up. */
export interface RecoveredLog {
  /** Ascending; empty for a log that was never written. The last one is written further. */
  readonly segments: Segment[]
  readonly startOffset: number
  /** The offset that comes next. */
  readonly endOffset: number
  readonly lastEpoch: number
  /** Of the last segment; -1 where it is empty. */
  readonly maxTimestamp: number
  readonly maxTimestampOffset: number
  readonly producers: ProducerState
  /** The damage that keeps the log from being written. */
  readonly offline: string | undefined
  /** Was anything found behind the checkpoint? Then it should be checkpointed again. */
  readonly wasChecked: boolean
  /** The segment that the checkpoint names; undefined where there is none that can be read. */
  readonly checkpointBase: number | undefined
}

/** Where a check failed. */
interface Damage {
  readonly segmentIndex: number
  readonly position: number
  readonly reason: string
}

const scanBufferBytes = 1024 * 1024

/** Opens and judges the log in `directory`. Rejects with DiskError where the disk fails. */
export async function recoverLog(
  directory: string,
  config: LogConfig,
  shared: LogShared,
): Promise<RecoveredLog> {
  const recovery = new Recovery(directory, config, shared)
  await recovery.run()
  return recovery
}

class Recovery implements RecoveredLog {
  segments: Segment[] = []
  startOffset = 0
  endOffset = 0
  lastEpoch = -1
  maxTimestamp = -1
  maxTimestampOffset = -1
  producers = new ProducerState()
  offline: string | undefined
  wasChecked = false
  checkpointBase: number | undefined

  readonly #directory: string
  readonly #config: LogConfig
  readonly #shared: LogShared

  constructor(directory: string, config: LogConfig, shared: LogShared) {
    this.#directory = directory
    this.#config = config
    this.#shared = shared
  }

  async run(): Promise<void> {
    const names = (await this.#shared.disk.list(this.#directory)).map(({ name }) => name)
    const bases = names.map(segmentBaseOf).filter((base) => base !== undefined)
    bases.sort((a, b) => a - b)
    const checkpoint = names.includes(checkpointName) ? await this.#readCheckpoint() : undefined
    this.checkpointBase = checkpoint?.segmentBase
    await this.#removeOrphans(names)
    if (bases.length === 0) {
      if (checkpoint !== undefined) this.#lost(checkpoint, 'its segments are gone')
      return
    }
    const base = checkpoint?.segmentBase ?? (bases[0] as number)
    this.#listSegments(bases, checkpoint)
    const first = this.segments.findIndex(({ baseOffset }) => baseOffset === base)
    if (checkpoint !== undefined && first < 0) {
      const reason = `the segment ${base}, which was synced, is gone`
      this.segments = this.segments.filter(({ baseOffset }) => baseOffset < base)
      await this.#measureLast()
      this.#lost(checkpoint, reason)
      return
    }
    await this.#check(first, checkpoint)
    this.#compareEpochs()
  }

  /** A broken one is no harm: everything is checked then. */
  async #readCheckpoint(): Promise<Checkpoint | undefined> {
    const { clock, disk, crc32c } = this.#shared
    const bytes = await readFile(disk, `${this.#directory}/${checkpointName}`)
    const decoded = bytes && decodeCheckpoint(bytes, crc32c, Math.floor(clock.monotonic()))
    if (decoded === undefined) return undefined
    for (const [producerId, entry] of decoded.producers) this.producers.load(producerId, entry)
    return decoded.checkpoint
  }

  /** Indexes whose segment a crash took away would be taken for those of the next one there. */
  async #removeOrphans(names: readonly string[]): Promise<void> {
    const all = new Set(names)
    for (const name of names) {
      const match = /^(\d{20})\.(time)?index$/.exec(name)
      if (match === null || all.has(`${match[1]}.log`)) continue
      await this.#shared.disk.remove(`${this.#directory}/${name}`)
    }
  }

  #listSegments(bases: readonly number[], checkpoint: Checkpoint | undefined): void {
    const trustedBase = checkpoint?.segmentBase ?? -1
    for (const [index, base] of bases.entries()) {
      const next = bases[index + 1] ?? Number.POSITIVE_INFINITY
      let trust = { position: 0, relativeOffset: 0 }
      if (base < trustedBase) {
        trust = { position: Number.POSITIVE_INFINITY, relativeOffset: next - base }
      } else if (checkpoint !== undefined && base === trustedBase) {
        trust = { position: checkpoint.position, relativeOffset: checkpoint.offset - base }
      }
      this.segments.push(new Segment(this.#directory, base, this.#shared, { size: -1, trust }))
    }
    this.startOffset = Math.max(bases[0] as number, checkpoint?.startOffset ?? 0)
  }

  /** Checks all that lies behind the checkpoint, and decides what becomes of it. */
  async #check(first: number, checkpoint: Checkpoint | undefined): Promise<void> {
    const { baseOffset } = this.segments[first] as Segment
    this.endOffset = checkpoint?.offset ?? baseOffset
    this.lastEpoch = checkpoint?.lastEpoch ?? -1
    this.maxTimestamp = checkpoint?.maxTimestamp ?? -1
    this.maxTimestampOffset = checkpoint?.maxTimestampOffset ?? -1
    const from = checkpoint?.position ?? 0
    let damage: Damage | undefined
    let index = first
    for (; index < this.segments.length && damage === undefined; index++) {
      damage = await this.#checkSegment(index, index === first ? from : 0, checkpoint)
      if (this.offline !== undefined) return
    }
    const last = index - 1
    if (damage !== undefined && !(await this.#judge(damage))) {
      this.segments.length = damage.segmentIndex + 1
      return
    }
    if (!this.wasChecked) return
    if (this.#shared.syncMode === 'always') await this.#secure(first, from, checkpoint)
    const kept = this.segments.slice(first, last + 1)
    for (const segment of kept) await segment.index.rewrite().catch(() => {})
  }

  /** Walks one segment from a position on. The first damage, if there is any. */
  async #checkSegment(
    segmentIndex: number,
    from: number,
    checkpoint: Checkpoint | undefined,
  ): Promise<Damage | undefined> {
    const { files, crc32c, clock } = this.#shared
    const segment = this.segments[segmentIndex] as Segment
    const isFirst = segment.baseOffset === checkpoint?.segmentBase
    if (!isFirst) {
      if (segment.baseOffset !== this.endOffset) {
        const before = this.segments[segmentIndex - 1] as Segment
        const reason = `offset ${this.endOffset} is missing: the next segment begins later`
        return { segmentIndex: segmentIndex - 1, position: before.size, reason }
      }
      // The segment before is written no more.
      if (segmentIndex > 0) this.#sealIndex(this.segments[segmentIndex - 1] as Segment)
      this.maxTimestamp = -1
      this.maxTimestampOffset = -1
    }
    const open = await files.acquire(segment.logPath)
    try {
      const size = await open.file.size()
      if (size < from) {
        await this.#measure(segment, open.file, size)
        this.#lost(
          checkpoint as Checkpoint,
          `${segment.logPath} has ${size} bytes, ${from} were synced`,
        )
        return undefined
      }
      segment.time = isFirst ? (checkpoint?.segmentTime ?? -1) : clock.now()
      if (size > from || !isFirst) this.wasChecked = true
      const { position, reason } = await scanSegment(open.file, {
        from,
        to: size,
        crc32c,
        bufferBytes: Math.min(scanBufferBytes, Math.max(1, size - from)),
        visit: (header, at) => this.#accept(segment, header, at),
      })
      segment.size = position
      return reason === undefined ? undefined : { segmentIndex, position, reason }
    } finally {
      open.release()
    }
  }

  /** Takes over what a sound batch says; a string where it does not fit in. */
  #accept(segment: Segment, header: BatchHeader, position: number): string | undefined {
    if (header.baseOffset !== this.endOffset) {
      return `its offset is ${header.baseOffset}, not ${this.endOffset}`
    }
    const epoch = header.partitionLeaderEpoch
    if (epoch < this.lastEpoch) return `its leader epoch is ${epoch}, after ${this.lastEpoch}`
    const { leaderEpoch } = this.#shared
    if (epoch > leaderEpoch) {
      return `its leader epoch is ${epoch}, and this start only ${leaderEpoch}`
    }
    const lastOffset = header.baseOffset + header.lastOffsetDelta
    this.endOffset = lastOffset + 1
    this.lastEpoch = epoch
    if (header.maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = header.maxTimestamp
      this.maxTimestampOffset = lastOffset
    }
    if (header.producerId >= 0) {
      const producersNow = Math.floor(this.#shared.clock.monotonic())
      this.producers.append(header, header.baseOffset, producersNow)
    }
    const time = {
      timestamp: this.maxTimestamp,
      relativeOffset: this.maxTimestampOffset - segment.baseOffset,
    }
    segment.index.note(
      position,
      batchBytes(header),
      lastOffset - segment.baseOffset,
      time,
      this.#config.indexIntervalBytes,
    )
    return undefined
  }

  #sealIndex(segment: Segment): void {
    if (this.maxTimestampOffset < 0) return
    segment.index.noteTime({
      timestamp: this.maxTimestamp,
      relativeOffset: this.maxTimestampOffset - segment.baseOffset,
    })
  }

  /** What was appended behind a later epoch than this start's would look like damage to the next start. */
  #compareEpochs(): void {
    const { leaderEpoch } = this.#shared
    if (this.offline !== undefined || this.lastEpoch <= leaderEpoch) return
    this.#goOffline(
      `the leader epoch of its last batch is ${this.lastEpoch}, and this start only ${leaderEpoch}: ` +
        wayOutOf(this.lastEpoch),
    )
  }

  /** The table at the head. True: the log goes on, cut at the damage. */
  async #judge(damage: Damage): Promise<boolean> {
    const { report, bootEpoch, leaderEpoch } = this.#shared
    const segment = this.segments[damage.segmentIndex] as Segment
    const place = `${segment.logPath} at position ${damage.position}, offset ${this.endOffset}`
    const behind = await this.#findBehind(damage)
    if (behind !== undefined) {
      const sinceBoot = Math.max(this.lastEpoch, behind.epoch) >= bootEpoch
      if (sinceBoot || !behind.hole) {
        const isLater = behind.epoch > leaderEpoch && behind.offset === this.endOffset
        this.#goOffline(
          `damage in ${place} (${damage.reason}), with sound batches behind it from offset ` +
            `${behind.offset} on; ${isLater ? `${wayOutOf(behind.epoch)}, else ` : ''}` +
            `'kaska log repair' cuts it out`,
        )
        return false
      }
    }
    const cut = await cutSegments(
      this.#shared,
      this.#directory,
      this.segments.slice(damage.segmentIndex),
      damage.position,
    )
    this.segments.length = damage.segmentIndex + 1
    report({
      kind: 'tail-cut',
      directory: this.#directory,
      text:
        `cut a torn tail of ${cut.bytes} bytes off ${place} (${damage.reason}); ` +
        (cut.names.length === 0 ? 'it was all zeros' : `moved to ${cut.names.join(', ')}`),
    })
    return true
  }

  /** The first sound batch behind the damage, and whether writes were lost between the two. */
  async #findBehind(
    damage: Damage,
  ): Promise<{ offset: number; epoch: number; hole: boolean } | undefined> {
    const { files, crc32c } = this.#shared
    let hole = false
    for (let index = damage.segmentIndex; index < this.segments.length; index++) {
      const segment = this.segments[index] as Segment
      const from = index === damage.segmentIndex ? damage.position : 0
      const open = await files.acquire(segment.logPath)
      try {
        const size = await open.file.size()
        const found = await findSoundBatch(open.file, from, size, this.endOffset, this.#shared)
        hole ||= await hasHole(open.file, from, found?.position ?? size)
        // A later segment exists: was this one longer?
        if (found === undefined) hole ||= await endsEarly(open.file, from, size, crc32c)
        if (found !== undefined) {
          const { baseOffset, partitionLeaderEpoch } = found.header
          return { offset: baseOffset, epoch: partitionLeaderEpoch, hole }
        }
      } finally {
        open.release()
      }
    }
    return undefined
  }

  /**
   * Writes what was kept once more and syncs it; see the head. Where that fails, only what lies before
   * the checkpoint is known to be on the disk, and served.
   */
  async #secure(first: number, from: number, checkpoint: Checkpoint | undefined): Promise<void> {
    const { files, disk, syncQueue } = this.#shared
    try {
      for (const [index, segment] of this.segments.slice(first).entries()) {
        const open = await files.acquire(segment.logPath)
        try {
          const start = index === 0 ? from : 0
          const buffer = new Uint8Array(
            Math.min(scanBufferBytes, Math.max(0, segment.size - start)),
          )
          for (let position = start; position < segment.size; ) {
            const part = buffer.subarray(0, Math.min(buffer.length, segment.size - position))
            const length = await open.file.read(position, part)
            if (length === 0) break
            await open.file.write(position, [part.subarray(0, length)])
            position += length
          }
          await syncQueue.run(() => open.file.sync())
        } finally {
          open.release()
        }
      }
      await disk.syncDirectory(this.#directory)
      // The process that made the directory may have been killed before it synced the name.
      await disk.syncDirectory(parentOf(this.#directory))
    } catch (error) {
      if (error instanceof DiskError && error.kind === 'full') throw error
      this.endOffset = checkpoint?.offset ?? (this.segments[first] as Segment).baseOffset
      this.lastEpoch = checkpoint?.lastEpoch ?? -1
      this.#goOffline(`what was recovered could not be made durable: ${(error as Error).message}`)
    }
  }

  /** Finds the end of the last segment by walking it from its beginning. */
  async #measureLast(): Promise<void> {
    const last = this.segments.at(-1)
    if (last === undefined) return
    const open = await this.#shared.files.acquire(last.logPath)
    try {
      await this.#measure(last, open.file, await open.file.size())
    } finally {
      open.release()
    }
  }

  async #measure(segment: Segment, file: DiskFile, size: number): Promise<void> {
    this.endOffset = segment.baseOffset
    const { crc32c } = this.#shared
    const { position } = await scanSegment(file, {
      from: 0,
      to: size,
      crc32c,
      visit: (header) => {
        this.endOffset = header.baseOffset + header.lastOffsetDelta + 1
        this.lastEpoch = header.partitionLeaderEpoch
        return undefined
      },
    })
    segment.size = position
  }

  #lost(checkpoint: Checkpoint, reason: string): void {
    if (this.segments.length === 0) {
      this.startOffset = checkpoint.startOffset
      this.endOffset = checkpoint.startOffset
    }
    this.startOffset = Math.min(this.startOffset, this.endOffset)
    this.#goOffline(`${reason}: data below the checkpoint is lost`)
  }

  #goOffline(reason: string): void {
    this.offline = reason
    const text = `${this.#directory} is offline: ${reason}`
    this.#shared.report({ kind: 'offline', directory: this.#directory, text })
  }
}

/** What helps where a log has batches of a later leader epoch than its broker. */
function wayOutOf(epoch: number): string {
  return `if kaska.json came from a backup, it needs a leaderEpoch of ${epoch} or more`
}

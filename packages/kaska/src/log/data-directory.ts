/**
 * A data directory, opened by one broker:
 *
 *   kaska.json                        format version, cluster id, node id, leader epoch
 *   lock                              held by the process that has it open
 *   reserve                           space given up when the disk is full, so that topics can be deleted
 *   state/<name>/                     a state log each: topics, offsets, producers
 *   topics/<topic id>-<partition>/    a partition's log each
 *
 * A start reads kaska.json and the state logs, and no partition: each of those is opened when it is
 * first needed, and checks then what was written since its own checkpoint.
 */
import {
  type Clock,
  type Crc32c,
  DataDirectoryError,
  type Random,
  topicIdBytes,
  topicIdOf,
} from '@kaska/protocol'
import { readFile, replaceFile } from './checkpoint-file.ts'
import { Checkpoints } from './checkpoints.ts'
import { type Disk, DiskError } from './disk.ts'
import { FileCache } from './file-cache.ts'
import type { LogConfig, LogEvent, LogShared, SyncMode } from './log-config.ts'
import { type LogExtent, logExtent } from './log-extent.ts'
import type { MemoryBudget } from './memory-budget.ts'
import { PartitionLog } from './partition-log.ts'
import { retentionDue } from './retention-due.ts'
import { IndexCache } from './segment-index.ts'
import { type State, StateLog } from './state-log.ts'
import { SyncQueue } from './sync-queue.ts'

export interface DataDirectoryOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly crc32c: Crc32c
  readonly syncMode: SyncMode
  readonly budget: MemoryBudget
  /** How many files that nobody uses stay open; what the disk says unless given, or 512. */
  readonly openFilesMax?: number
  /** How many syncs may be under way; what the disk says unless given. */
  readonly syncsMax?: number
  /** How often what was written is checkpointed; every minute unless given. */
  readonly checkpointMs?: number
  report(event: LogEvent): void
}

/** The format of a data directory that this code writes, and the newest that it reads. */
export const dataFormat = 1

/** What kaska.json holds. */
interface Identity {
  readonly format: number
  readonly clusterId: string
  readonly nodeId: number
  /** Of the start that wrote the file. */
  readonly leaderEpoch: number
  /** The operating system's boot at that start, and the first leader epoch since. */
  readonly bootId: string | null
  readonly bootEpoch: number
}

const identityName = 'kaska.json'
const reserveName = 'reserve'
const reserveBytes = 1024 * 1024
const openFilesMaxDefault = 512
const indexBytesMax = 16 * 1024 * 1024

export class DataDirectory {
  /** 22 characters of base64url, made at the first start. */
  readonly clusterId: string
  readonly nodeId: number
  readonly shared: LogShared
  readonly #lock: { release(): Promise<void> }
  readonly #partitions = new Set<PartitionLog>()
  readonly #states = new Set<StateLog>()
  #hasReserve = false
  #reserving: Promise<void>
  #isClosed = false

  /**
   * Locks it, checks its format, raises the leader epoch. On a full disk the reserve makes room for
   * that, so that what there is can be read. Rejects with DataDirectoryLockedError, DataDirectoryError.
   */
  static async open(options: DataDirectoryOptions): Promise<DataDirectory> {
    const { disk } = options
    const lock = await disk.lock()
    try {
      let isFull = false
      const start = async () => {
        const identity = await raiseEpoch(options)
        for (const directory of ['state', 'topics']) await disk.makeDirectory(directory)
        await disk.syncDirectory('')
        return identity
      }
      const identity = await start().catch(async (error) => {
        if (!(error instanceof DiskError && error.kind === 'full')) throw error
        isFull = true
        await disk.remove(reserveName)
        return await start()
      })
      return new DataDirectory(options, identity, lock, isFull)
    } catch (error) {
      await lock.release()
      if (!(error instanceof DiskError)) throw error
      throw new DataDirectoryError(`the data directory cannot be used: ${error.message}`, {
        cause: error,
      })
    }
  }

  private constructor(
    options: DataDirectoryOptions,
    identity: Identity,
    lock: { release(): Promise<void> },
    isFull: boolean,
  ) {
    const { disk, clock, crc32c, syncMode, budget, report } = options
    this.clusterId = identity.clusterId
    this.nodeId = identity.nodeId
    this.#lock = lock
    this.shared = {
      disk,
      clock,
      crc32c,
      syncMode,
      leaderEpoch: identity.leaderEpoch,
      bootEpoch: identity.bootEpoch,
      syncQueue: new SyncQueue(options.syncsMax ?? disk.syncsMax, clock),
      budget,
      files: new FileCache(
        disk,
        options.clock,
        options.openFilesMax ?? disk.idleFilesMax ?? openFilesMaxDefault,
      ),
      indexes: new IndexCache(indexBytesMax),
      checkpoints: new Checkpoints(clock, options.checkpointMs),
      giveUpReserve: () => this.#giveUpReserve(),
      report: (event) => report(event),
    }
    this.#reserving = isFull ? Promise.resolve() : this.#makeReserve()
    void this.#reserving.then(() => {
      if (!this.#hasReserve) this.#remakeReserveLater()
    })
  }

  /**
   * Opens the log of a partition; `id` is `<topicId>-<partition>`. To be done when it is first needed:
   * an idle partition costs nothing. `tailBytesMax`: see `PartitionLogOptions`.
   */
  async openPartition(
    id: string,
    config: LogConfig,
    tailBytesMax: () => number = () => Number.POSITIVE_INFINITY,
  ): Promise<PartitionLog> {
    const log = await PartitionLog.open({
      directory: `topics/${id}`,
      config,
      shared: this.shared,
      tailBytesMax,
      ended: () => this.#partitions.delete(log),
    })
    this.#partitions.add(log)
    if (this.#isClosed) await log.close()
    return log
  }

  /** When a partition that is not open may have something to delete: see `retention-due.ts`. */
  retentionDue(id: string, config: LogConfig): Promise<number> {
    return retentionDue(`topics/${id}`, config, this.shared)
  }

  /** What a partition holds that is not open: see `log-extent.ts`. */
  partitionExtent(id: string): Promise<LogExtent | undefined> {
    return logExtent(`topics/${id}`, this.shared)
  }

  /** Removes what a partition left on the disk without opening it. */
  removePartition(id: string): Promise<void> {
    return this.shared.disk.remove(`topics/${id}`)
  }

  /** Makes durable that partitions were removed. */
  syncRemovals(): Promise<void> {
    return this.shared.disk.syncDirectory('topics')
  }

  /** The ids of all partitions that have a directory. */
  async partitions(): Promise<string[]> {
    const entries = await this.shared.disk.list('topics')
    return entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name)
  }

  /**
   * Opens a state log: the state is rebuilt by `apply` when it resolves. Rejects with
   * DataDirectoryError if it is damaged.
   */
  async openState(
    name: string,
    state: State,
    options: { readonly logBytesMin?: number } = {},
  ): Promise<StateLog> {
    const log = await StateLog.open({
      directory: `state/${name}`,
      shared: this.shared,
      state,
      ...options,
    })
    this.#states.add(log)
    return log
  }

  /** Closes every log that is open, then unlocks. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const { checkpoints, files } = this.shared
    try {
      await checkpoints.close()
      const partitions = [...this.#partitions].values()
      const closeSome = async () => {
        for (const log of partitions) await log.close()
      }
      await Promise.all(Array.from({ length: 8 }, closeSome))
      for (const log of this.#states) await log.close()
      await this.#reserving
      await files.close()
    } finally {
      await this.#lock.release()
    }
  }

  /** Writes the reserve where it is missing; without space there is none. */
  async #makeReserve(): Promise<void> {
    const { disk } = this.shared
    try {
      const file = await disk.open(reserveName, { create: true })
      try {
        if ((await file.size()) < reserveBytes) {
          await file.write(0, [new Uint8Array(reserveBytes)])
          await file.sync()
        }
        this.#hasReserve = true
      } finally {
        await file.close()
      }
    } catch {
      await disk.remove(reserveName).catch(() => {})
    }
  }

  async #giveUpReserve(): Promise<boolean> {
    await this.#reserving
    if (!this.#hasReserve) return false
    this.#hasReserve = false
    try {
      await this.shared.disk.remove(reserveName)
    } catch {
      return false
    }
    this.#remakeReserveLater()
    return true
  }

  /** Tries again every now and then, until there is space. */
  #remakeReserveLater(): void {
    this.shared.clock.after(60_000, async () => {
      if (this.#isClosed || this.#hasReserve) return
      const free = await this.shared.disk.freeBytes().catch(() => 0)
      if (free > 4 * reserveBytes) this.#reserving = this.#makeReserve()
      await this.#reserving
      if (!this.#hasReserve) this.#remakeReserveLater()
    })
  }
}

/** Reads kaska.json, or makes it, and writes it back with this start's leader epoch. */
async function raiseEpoch(options: DataDirectoryOptions): Promise<Identity> {
  const { disk, random } = options
  const before = await readIdentity(disk)
  const leaderEpoch = (before?.leaderEpoch ?? -1) + 1
  const bootId = disk.bootId ?? null
  const isSameBoot = before !== undefined && bootId !== null && before.bootId === bootId
  const identity: Identity = {
    format: dataFormat,
    clusterId: before?.clusterId ?? topicIdOf(random.bytes(topicIdBytes)),
    nodeId: before?.nodeId ?? 1,
    leaderEpoch,
    bootId,
    bootEpoch: isSameBoot ? before.bootEpoch : leaderEpoch,
  }
  const text = `${JSON.stringify(identity, null, 2)}\n`
  await replaceFile(disk, identityName, `${identityName}.new`, [new TextEncoder().encode(text)])
  await disk.syncDirectory('')
  return identity
}

async function readIdentity(disk: Disk): Promise<Identity | undefined> {
  const bytes = await readFile(disk, identityName)
  if (bytes === undefined) {
    const names = new Set((await disk.list('')).map(({ name }) => name))
    if (!names.has('state') && !names.has('topics')) return undefined
    throw new DataDirectoryError(
      `there is data but no ${identityName}: restore that file from a backup`,
    )
  }
  let parsed: Partial<Identity>
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Identity>
  } catch (error) {
    throw new DataDirectoryError(`${identityName} is damaged: restore it from a backup`, {
      cause: error,
    })
  }
  const { format, clusterId, nodeId, leaderEpoch, bootEpoch } = parsed ?? {}
  if (typeof format === 'number' && format > dataFormat) {
    throw new DataDirectoryError(
      `the data directory has format ${format}, this version of Kaska knows ${dataFormat}: ` +
        'use the version that wrote it, or a newer one',
    )
  }
  const numbers = [format, nodeId, leaderEpoch, bootEpoch]
  if (typeof clusterId !== 'string' || !numbers.every((number) => Number.isSafeInteger(number))) {
    throw new DataDirectoryError(`${identityName} is damaged: restore it from a backup`)
  }
  return parsed as Identity
}

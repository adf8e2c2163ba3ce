/**
 * The generations of groups, in the state log 'groups': so a consumer goes on in its generation when
 * the broker starts again, and a static member finds its assignment.
 *
 * What is kept of a group is its last generation that was complete, or that there was nobody left in
 * it, as the entry that was appended: its longer byte fields are the members' own.
 *
 * An entry of the log: a kind (u8), the group's name, and then
 *   1 a generation   number, since when (wall time), protocol type, protocol name, leader, members:
 *                    id, instance id, client id, host, session time-out, rebalance time-out,
 *                    protocols (name, metadata), assignment
 *   2 forgotten
 * Integers are varints; strings and bytes are length-prefixed; lists begin with their count; what may
 * be absent has a u8 of 0 or 1 before it.
 */
import { ChunkReader, type Chunks, ChunkWriter, decodeUtf8, joinChunks } from '@kaska/protocol'
import type { State, StateLog } from '../log/state-log.ts'
import type { Group } from './group.ts'
import type { GroupImage } from './group-image.ts'
import { GroupMember, type GroupProtocol } from './group-member.ts'

const generationKind = 1
const forgottenKind = 2

const copiedBytesMax = 512

/** What is kept of one group. */
interface Kept {
  /** The last entry that was appended; undefined: it is being forgotten. */
  latest: Chunks | undefined
  /** The last one that is durable. */
  durable: Chunks | undefined
}

export class GroupStore {
  readonly #kept = new Map<string, Kept>()
  #log!: StateLog

  private constructor() {}

  static async open(directory: {
    openState(name: string, state: State): Promise<StateLog>
  }): Promise<GroupStore> {
    const store = new GroupStore()
    store.#log = await directory.openState('groups', {
      apply: (entry) => store.#apply(entry),
      entries: () => store.#entries(),
    })
    return store
  }

  /** What a start has found. */
  *images(): IterableIterator<[name: string, image: GroupImage]> {
    for (const [name, { durable }] of this.#kept) {
      if (durable !== undefined) yield [name, decodeImage(durable)]
    }
  }

  has(name: string): boolean {
    return this.#kept.has(name)
  }

  /** Keeps the group's generation as it stands; resolves when it is durable. */
  async put(group: Group): Promise<void> {
    await this.#set(group.name, encodeImage(group))
  }

  /** Resolves when what was kept is gone, and stays gone. */
  async forget(name: string): Promise<void> {
    if (this.#kept.has(name)) await this.#set(name, undefined)
  }

  async #set(name: string, entry: Chunks | undefined): Promise<void> {
    const kept = this.#kept.get(name) ?? { latest: undefined, durable: undefined }
    this.#kept.set(name, kept)
    kept.latest = entry
    try {
      await this.#append(entry ?? encodeForgotten(name), entry === undefined)
      kept.durable = entry
    } catch (error) {
      // A later change stays, whatever comes of it.
      if (kept.latest === entry) kept.latest = kept.durable
      throw error
    } finally {
      if (kept.latest === undefined && kept.durable === undefined) this.#drop(name, kept)
    }
  }

  #drop(name: string, kept: Kept): void {
    if (this.#kept.get(name) === kept) this.#kept.delete(name)
  }

  /** Makes durable what was applied already. */
  async #append(entry: Chunks, urgent: boolean): Promise<void> {
    await this.#log.append([entry], { urgent, isApplied: true }).acknowledged
  }

  #apply(entry: Chunks): void {
    const reader = new ChunkReader(entry)
    const kind = reader.u8()
    const name = readString(reader)
    if (kind === forgottenKind) {
      this.#kept.delete(name)
      return
    }
    // A copy: what was read from the disk together is not to be kept for one of its entries.
    const own = [new Uint8Array(joinChunks(entry))]
    this.#kept.set(name, { latest: own, durable: own })
  }

  *#entries(): IterableIterator<Chunks> {
    for (const [, { latest }] of this.#kept) if (latest !== undefined) yield latest
  }
}

function encodeForgotten(name: string): Chunks {
  const writer = new ChunkWriter(64)
  writer.u8(forgottenKind)
  writer.string(name)
  return writer.finish()
}

function encodeImage(group: Group): Chunks {
  const { members } = group
  const writer = new ChunkWriter(256)
  writer.u8(generationKind)
  writer.string(group.name)
  writer.varint(group.generation)
  writer.varint(Math.max(0, group.stateSince))
  writer.string(group.protocolType ?? '')
  writeOptional(writer, group.protocolName)
  writer.string(members.leader?.id ?? '')
  writer.varint(members.size)
  for (const member of members) {
    writer.string(member.id)
    writeOptional(writer, member.instanceId)
    writer.string(member.clientId)
    writer.string(member.clientHost)
    writer.varint(member.sessionTimeoutMs)
    writer.varint(member.rebalanceTimeoutMs)
    writer.varint(member.protocols.length)
    for (const { name, metadata } of member.protocols) {
      writer.string(name)
      writeBytes(writer, metadata)
    }
    writeBytes(writer, member.assignment)
  }
  return writer.finish()
}

function decodeImage(entry: Chunks): GroupImage {
  const reader = new ChunkReader(entry)
  reader.u8()
  reader.field()
  const generation = reader.varint()
  const stateSince = reader.varint()
  const protocolType = readString(reader)
  const protocolName = readOptional(reader) ?? undefined
  const leader = readString(reader)
  const members: GroupMember[] = []
  for (let left = reader.varint(); left > 0; left--) members.push(readMember(reader))
  return { generation, stateSince, protocolType, protocolName, leader, members }
}

function readMember(reader: ChunkReader): GroupMember {
  const id = readString(reader)
  const instanceId = readOptional(reader)
  const clientId = readString(reader)
  const clientHost = readString(reader)
  const sessionTimeoutMs = reader.varint()
  const rebalanceTimeoutMs = reader.varint()
  const protocols: GroupProtocol[] = []
  for (let left = reader.varint(); left > 0; left--) {
    protocols.push({ name: readString(reader), metadata: joinChunks(reader.field()) })
  }
  const member = new GroupMember({
    id,
    instanceId,
    clientId,
    clientHost,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocols,
  })
  member.assignment = joinChunks(reader.field())
  return member
}

function writeOptional(writer: ChunkWriter, text: string | null | undefined): void {
  writer.u8(typeof text === 'string' ? 1 : 0)
  if (typeof text === 'string') writer.string(text)
}

function readOptional(reader: ChunkReader): string | null {
  return reader.u8() === 0 ? null : readString(reader)
}

function readString(reader: ChunkReader): string {
  return decodeUtf8(reader.field(), 'a name')
}

function writeBytes(writer: ChunkWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length)
  // A view takes more memory than a few bytes.
  if (bytes.length < copiedBytesMax) writer.copy(bytes)
  else writer.view(bytes)
}

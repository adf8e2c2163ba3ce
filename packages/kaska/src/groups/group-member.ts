/** A member of a consumer group: who it is, what it can do, and what of it is waited for. */
import { emptyBytes } from '@kaska/protocol'
import type { JoinAnswer, SyncAnswer } from './group-answers.ts'
import type { Waiter } from './waiter.ts'

/** A way to assign partitions that a member can take part in, with what it says to the leader. */
export interface GroupProtocol {
  readonly name: string
  readonly metadata: Uint8Array
}

export interface MemberFields {
  readonly id: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** In the order of preference. Nobody changes the bytes. */
  readonly protocols: readonly GroupProtocol[]
}

/** What a member and a protocol of it take in memory beside their bytes, about. */
const memberBytes = 2048
const protocolBytes = 128

export class GroupMember {
  /** Changes when a static member is replaced. */
  id: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly GroupProtocol[]
  assignment: Uint8Array = emptyBytes
  /** Its JoinGroup that waits for the others. */
  join: Waiter<JoinAnswer> | undefined = undefined
  /** Its SyncGroup that waits for the leader's. */
  sync: Waiter<SyncAnswer> | undefined = undefined
  /** Has it been in no generation yet? */
  isNew = true
  /** When it is given up, in monotonic time, unless it is waiting for an answer. */
  sessionEnd = 0
  /** What was counted for it: `bytes` of then. */
  bytesCounted = 0

  constructor(fields: MemberFields) {
    this.id = fields.id
    this.instanceId = fields.instanceId
    this.clientId = fields.clientId
    this.clientHost = fields.clientHost
    this.sessionTimeoutMs = fields.sessionTimeoutMs
    this.rebalanceTimeoutMs = fields.rebalanceTimeoutMs
    this.protocols = fields.protocols
  }

  get isStatic(): boolean {
    return this.instanceId !== null
  }

  /** What it takes in memory, about. */
  get bytes(): number {
    const names = this.id.length + this.clientId.length + (this.instanceId?.length ?? 0)
    return memberBytes + 2 * names + protocolsBytes(this.protocols) + this.assignment.length
  }

  /** Can it do the same, in the same order, and says the same to the leader? */
  matches(protocols: readonly GroupProtocol[]): boolean {
    if (protocols.length !== this.protocols.length) return false
    return protocols.every(({ name, metadata }, index) => {
      const own = this.protocols[index]
      return own?.name === name && areEqual(own.metadata, metadata)
    })
  }

  /** What it says to the leader by this protocol; empty for one that it does not have. */
  metadataOf(protocolName: string | undefined): Uint8Array {
    return this.protocols.find(({ name }) => name === protocolName)?.metadata ?? emptyBytes
  }
}

/** What the protocols of a member take in memory, about. */
export function protocolsBytes(protocols: readonly GroupProtocol[]): number {
  let bytes = 0
  for (const { name, metadata } of protocols) {
    bytes += protocolBytes + 2 * name.length + metadata.length
  }
  return bytes
}

function areEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}

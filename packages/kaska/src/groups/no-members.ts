/** Groups without members: for stores of a broker that serves no Kafka clients. */
import { kafka } from '@kaska/protocol'
import type { Membership } from './membership.ts'

export const noMembers: Membership = {
  hasMembers: () => false,
  // As Kafka has it for an empty group: anybody may.
  checkCommit: () => kafka.errorCode.NONE,
  isSubscribed: () => false,
  protocolType: () => undefined,
  emptySince: () => undefined,
}

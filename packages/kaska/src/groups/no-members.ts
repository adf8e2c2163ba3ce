/** Groups without members: what a broker has that serves no Kafka clients. */
import { kafka } from '@kaska/protocol'
import type { Membership } from './membership.ts'

export const noMembers: Membership = {
  hasMembers: () => false,
  // As Kafka has it for an empty group: anybody, but no member of a generation.
  checkCommit: (_group, { generationId }) =>
    generationId >= 0 ? kafka.errorCode.UNKNOWN_MEMBER_ID : kafka.errorCode.NONE,
  isSubscribed: () => false,
  protocolType: () => undefined,
  emptySince: () => undefined,
}

/**
 * Where the leader of a partition is, as answers that were refused by another broker tell it (KIP-951). The
 * versions are those of the answer that holds them.
 */
import { array, int32, string, struct } from './schema.ts'

/** The leader of one partition, and its epoch; -1: not known. */
export function currentLeader(versions: string, tag: number) {
  return struct(
    'LeaderIdAndEpoch',
    {
      leaderId: int32({ default: -1 }),
      leaderEpoch: int32({ default: -1 }),
    },
    { versions, tag, tagged: versions },
  )
}

/** Where the leaders are that the partitions name. */
export function nodeEndpoints(versions: string) {
  return array(
    'NodeEndpoint',
    {
      nodeId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullable: versions, default: null }),
    },
    { versions, tag: 0, tagged: versions },
  )
}

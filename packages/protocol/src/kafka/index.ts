/** Kafka's protocol: its messages, headers and error codes. */
export * from './00-produce.ts'
export * from './01-fetch.ts'
export * from './02-list-offsets.ts'
export * from './03-metadata.ts'
export * from './08-offset-commit.ts'
export * from './09-offset-fetch.ts'
export * from './10-find-coordinator.ts'
export * from './11-join-group.ts'
export * from './12-heartbeat.ts'
export * from './13-leave-group.ts'
export * from './14-sync-group.ts'
export * from './15-describe-groups.ts'
export * from './16-list-groups.ts'
export * from './18-api-versions.ts'
export * from './19-create-topics.ts'
export * from './20-delete-topics.ts'
export * from './21-delete-records.ts'
export * from './22-init-producer-id.ts'
export * from './23-offset-for-leader-epoch.ts'
export * from './32-describe-configs.ts'
export * from './33-alter-configs.ts'
export * from './35-describe-log-dirs.ts'
export * from './37-create-partitions.ts'
export * from './42-delete-groups.ts'
export * from './44-incremental-alter-configs.ts'
export * from './47-offset-delete.ts'
export * from './60-describe-cluster.ts'
export * from './61-describe-producers.ts'
export * from './69-consumer-group-describe.ts'
export * from './75-describe-topic-partitions.ts'
export * from './apis.ts'
export * from './consumer-protocol.ts'
export * from './errors.ts'
export * from './headers.ts'
export {
  type Decoded,
  ElementsEncoder,
  elementsMaxDefault,
  type Fields,
  type Input,
  type Message,
  type Values,
} from './schema.ts'
export { inRange, parseVersions, type VersionRange } from './versions.ts'

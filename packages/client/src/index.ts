/** `@kaska/client` in Node. */
/// <reference lib="esnext.disposable" preserve="true" />
export * from './api.ts'
export { type ConnectOptions, connect } from './host/connect.ts'
export { createKafkaEngine, type KafkaEngineSettings } from './host/kafka-connect.ts'
export { createNodeHost } from './host/node-host.ts'
export { createTcpDialer, createTlsDialer, type TlsOptions } from './host/socket-transport.ts'
export type {
  CommittedOffset,
  DescribedGroup,
  DescribedMember,
  ListedGroup,
  PartitionPlace,
  TopicSetting,
} from './kafka/admin-types.ts'
export type { KafkaAdmin } from './kafka/kafka-admin.ts'
export { KafkaEngine, type KafkaEngineOptions } from './kafka/kafka-engine.ts'
export type { BrokerAddress, KafkaCall, KafkaDialer, KafkaLink } from './kafka/kafka-link.ts'
export { isKafkaUrl, type KafkaUrl, parseKafkaUrl } from './kafka/kafka-url.ts'

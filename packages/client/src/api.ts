/** What both entry points have in common. */
export {
  AlreadySubscribedError,
  ClosedError,
  type Codec,
  type Codecs,
  ConnectionError,
  DeliveryTimeoutError,
  DiskFullError,
  type Engine,
  GroupActiveError,
  InternalError,
  InvalidArgumentError,
  InvalidMessageError,
  InvalidTimestampError,
  InvalidTopicError,
  KaskaError,
  LogTruncatedError,
  MessageTooLargeError,
  NotAuthorizedError,
  NotSubscribedError,
  OffsetOutOfRangeError,
  OutOfOrderSequenceError,
  OverloadedError,
  PartitionOfflineError,
  ProducerFencedError,
  ProtocolError,
  type RecordHeader,
  SendBatchError,
  type TopicConfigEntry,
  type TopicDescription,
  TopicExistsError,
  type TopicInfo,
  UnknownPartitionError,
  UnknownProducerError,
  UnknownTopicError,
  UnsupportedCompressionError,
  UnsupportedOperationError,
  UnsupportedVersionError,
} from '@kaska/protocol'
export { Client } from './client.ts'
export type {
  ClientOptions,
  CreateTopicOptions,
  PollOptions,
  WaitOptions,
} from './client-options.ts'
export { createNativeClient, type InProcessBroker } from './create-client.ts'
export {
  type BytesInput,
  type HeadersInput,
  Message,
  type MessageFields,
  type MessageInput,
  type SendResult,
} from './message.ts'
export { NativeEngine, type NativeEngineOptions } from './native/native-engine.ts'
export type { ClientHost, Dialer, KeepAlive } from './seams.ts'

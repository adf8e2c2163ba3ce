/** The error code that Kafka gives in the place of one of our errors. */
import {
  DiskFullError,
  GroupActiveError,
  InvalidArgumentError,
  InvalidMessageError,
  InvalidTimestampError,
  InvalidTopicError,
  type KaskaError,
  kafka,
  LogTruncatedError,
  MessageTooLargeError,
  NotAuthorizedError,
  OffsetOutOfRangeError,
  OutOfOrderSequenceError,
  OverloadedError,
  PartitionOfflineError,
  ProducerFencedError,
  TopicExistsError,
  UnknownPartitionError,
  UnknownProducerError,
  UnknownTopicError,
  UnsupportedCompressionError,
} from '@kaska/protocol'

const { errorCode } = kafka

const codes: readonly (readonly [new (...parts: never[]) => KaskaError, kafka.KafkaErrorCode])[] = [
  [UnknownTopicError, errorCode.UNKNOWN_TOPIC_OR_PARTITION],
  [UnknownPartitionError, errorCode.UNKNOWN_TOPIC_OR_PARTITION],
  [OffsetOutOfRangeError, errorCode.OFFSET_OUT_OF_RANGE],
  [MessageTooLargeError, errorCode.MESSAGE_TOO_LARGE],
  [InvalidMessageError, errorCode.INVALID_RECORD],
  [InvalidTimestampError, errorCode.INVALID_TIMESTAMP],
  [UnsupportedCompressionError, errorCode.UNSUPPORTED_COMPRESSION_TYPE],
  [OutOfOrderSequenceError, errorCode.OUT_OF_ORDER_SEQUENCE_NUMBER],
  [ProducerFencedError, errorCode.INVALID_PRODUCER_EPOCH],
  [UnknownProducerError, errorCode.UNKNOWN_PRODUCER_ID],
  [TopicExistsError, errorCode.TOPIC_ALREADY_EXISTS],
  [InvalidTopicError, errorCode.INVALID_TOPIC_EXCEPTION],
  [InvalidArgumentError, errorCode.INVALID_REQUEST],
  [NotAuthorizedError, errorCode.TOPIC_AUTHORIZATION_FAILED],
  [GroupActiveError, errorCode.NON_EMPTY_GROUP],
  [LogTruncatedError, errorCode.OFFSET_OUT_OF_RANGE],
  // Kafka takes its log directory offline and shuts down; its clients wait and ask again.
  [DiskFullError, errorCode.KAFKA_STORAGE_ERROR],
  [PartitionOfflineError, errorCode.KAFKA_STORAGE_ERROR],
  [OverloadedError, errorCode.REQUEST_TIMED_OUT],
]

/** Throws what is none of our errors, or says that the broker is closing: that is no answer. */
export function codeOf(error: unknown): kafka.KafkaErrorCode {
  for (const [type, code] of codes) if (error instanceof type) return code
  throw error
}

/** The code for a leader epoch that a client believes to be the current one; -1 is no belief. */
export function leaderEpochCode(believed: number, leaderEpoch: number): kafka.KafkaErrorCode {
  if (believed < 0 || believed === leaderEpoch) return errorCode.NONE
  return believed < leaderEpoch ? errorCode.FENCED_LEADER_EPOCH : errorCode.UNKNOWN_LEADER_EPOCH
}

/** Kafka's error codes as errors of Kaska's table. */
import {
  ConnectionError,
  GroupActiveError,
  InternalError,
  InvalidArgumentError,
  InvalidMessageError,
  InvalidTimestampError,
  InvalidTopicError,
  type KaskaError,
  kafka,
  MessageTooLargeError,
  NotAuthorizedError,
  OutOfOrderSequenceError,
  OverloadedError,
  ProducerFencedError,
  TopicExistsError,
  UnknownProducerError,
  UnknownTopicError,
  UnsupportedCompressionError,
  UnsupportedVersionError,
} from '@kaska/protocol'

const { errorCode } = kafka

type PlainErrorClass = new (message: string) => KaskaError

const classes: ReadonlyMap<number, PlainErrorClass> = new Map<number, PlainErrorClass>([
  [errorCode.CORRUPT_MESSAGE, InvalidMessageError],
  [errorCode.INVALID_RECORD, InvalidMessageError],
  [errorCode.MESSAGE_TOO_LARGE, MessageTooLargeError],
  [errorCode.RECORD_LIST_TOO_LARGE, MessageTooLargeError],
  [errorCode.INVALID_TIMESTAMP, InvalidTimestampError],
  [errorCode.UNSUPPORTED_COMPRESSION_TYPE, UnsupportedCompressionError],
  [errorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, OutOfOrderSequenceError],
  [errorCode.INVALID_PRODUCER_EPOCH, ProducerFencedError],
  [errorCode.PRODUCER_FENCED, ProducerFencedError],
  [errorCode.UNKNOWN_PRODUCER_ID, UnknownProducerError],
  [errorCode.INVALID_PRODUCER_ID_MAPPING, UnknownProducerError],
  [errorCode.UNKNOWN_TOPIC_OR_PARTITION, UnknownTopicError],
  [errorCode.UNKNOWN_TOPIC_ID, UnknownTopicError],
  [errorCode.INCONSISTENT_TOPIC_ID, UnknownTopicError],
  [errorCode.TOPIC_ALREADY_EXISTS, TopicExistsError],
  [errorCode.INVALID_TOPIC_EXCEPTION, InvalidTopicError],
  [errorCode.INVALID_PARTITIONS, InvalidArgumentError],
  [errorCode.INVALID_REPLICATION_FACTOR, InvalidArgumentError],
  [errorCode.INVALID_CONFIG, InvalidArgumentError],
  [errorCode.INVALID_REQUEST, InvalidArgumentError],
  [errorCode.POLICY_VIOLATION, InvalidArgumentError],
  [errorCode.INVALID_GROUP_ID, InvalidArgumentError],
  [errorCode.OFFSET_METADATA_TOO_LARGE, InvalidArgumentError],
  [errorCode.UNKNOWN_MEMBER_ID, GroupActiveError],
  [errorCode.ILLEGAL_GENERATION, GroupActiveError],
  [errorCode.REBALANCE_IN_PROGRESS, GroupActiveError],
  [errorCode.STALE_MEMBER_EPOCH, GroupActiveError],
  [errorCode.FENCED_MEMBER_EPOCH, GroupActiveError],
  [errorCode.TOPIC_AUTHORIZATION_FAILED, NotAuthorizedError],
  [errorCode.GROUP_AUTHORIZATION_FAILED, NotAuthorizedError],
  [errorCode.CLUSTER_AUTHORIZATION_FAILED, NotAuthorizedError],
  [errorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, NotAuthorizedError],
  [errorCode.SASL_AUTHENTICATION_FAILED, NotAuthorizedError],
  [errorCode.UNSUPPORTED_VERSION, UnsupportedVersionError],
  [errorCode.THROTTLING_QUOTA_EXCEEDED, OverloadedError],
])

/** The error for a code that is not 0; `text` is what the cluster says of it. */
export function errorOfCode(code: number, what: string, text?: string | null): KaskaError {
  const known = kafka.errorOf(code)
  const name = known?.name ?? `error ${code}`
  const message = `${what}: ${text ? `${text} (${name})` : name}`
  const errorClass = classes.get(code)
  if (errorClass !== undefined) return new errorClass(message)
  // The cluster is busy with itself: the same request may succeed later.
  if (known?.retriable) return new ConnectionError(message)
  return new InternalError(message)
}

/**
 * Who was asked is not, not yet or no longer the one who leads or coordinates: worth another try when the
 * metadata was read again. The request did not take effect, but for batches that are answered with an offset.
 */
const movedCodes: ReadonlySet<number> = new Set<number>([
  errorCode.UNKNOWN_TOPIC_OR_PARTITION,
  errorCode.UNKNOWN_TOPIC_ID,
  errorCode.INCONSISTENT_TOPIC_ID,
  errorCode.LEADER_NOT_AVAILABLE,
  errorCode.NOT_LEADER_OR_FOLLOWER,
  errorCode.REPLICA_NOT_AVAILABLE,
  // Its disk has failed: another one will lead.
  errorCode.KAFKA_STORAGE_ERROR,
  errorCode.NOT_ENOUGH_REPLICAS,
  errorCode.FENCED_LEADER_EPOCH,
  errorCode.UNKNOWN_LEADER_EPOCH,
  errorCode.OFFSET_NOT_AVAILABLE,
  errorCode.COORDINATOR_LOAD_IN_PROGRESS,
  errorCode.COORDINATOR_NOT_AVAILABLE,
  errorCode.NOT_COORDINATOR,
  errorCode.NOT_CONTROLLER,
  errorCode.UNSTABLE_OFFSET_COMMIT,
  errorCode.FETCH_SESSION_TOPIC_ID_ERROR,
])

export function isMoved(code: number): boolean {
  return movedCodes.has(code)
}

/** It was the wrong one who was asked; `error` is what it comes to if that does not change. */
export class Moved extends Error {
  readonly error: KaskaError

  constructor(error: KaskaError) {
    super(error.message)
    this.error = error
  }
}

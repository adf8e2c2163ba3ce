/**
 * One table of errors for the broker, the client and the wire.
 *
 * Every error has its class's name as `name`, a stable `code`, the number that stands for it on the
 * wire (0 for those that never travel), and whether the same request may succeed when it is sent
 * again. Programs match on `code` or with `instanceof`, never on the text. `instanceof` works across
 * copies of this module: classes are recognised by a registered symbol, not by identity.
 *
 * `errorTable` at the end is what docs/reference/errors.md is generated from.
 */

const brand = Symbol.for('kaska.error')

/** What all of Kaska's errors have in common. */
export class KaskaError extends Error {
  /** Stable, for programs: `TOPIC_EXISTS`. */
  readonly code: string
  /** May the same request succeed when it is sent again? */
  readonly retriable: boolean
  readonly [brand]: string

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    const { errorName, code, retriable } = new.target as unknown as KaskaErrorClass
    this.name = errorName
    this.code = code
    this.retriable = retriable
    this[brand] = errorName
  }

  static readonly errorName: string = 'KaskaError'
  static readonly code: string = 'KASKA'
  static readonly wire: number = 0
  static readonly retriable: boolean = false
  static readonly meaning: string = 'Any error of Kaska.'

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null || !(brand in value)) return false
    return this.errorName === 'KaskaError' || value[brand] === this.errorName
  }
}

/** What a class of the table tells about itself. */
export interface KaskaErrorClass {
  readonly errorName: string
  readonly code: string
  readonly wire: number
  readonly retriable: boolean
  readonly meaning: string
}

/** The peer sent what the protocol does not allow. The connection is closed. */
export class ProtocolError extends KaskaError {
  static override readonly errorName = 'ProtocolError'
  static override readonly code = 'PROTOCOL'
  static override readonly wire = 2
  static override readonly meaning = 'The bytes are not what the protocol allows.'
}

export class UnsupportedVersionError extends KaskaError {
  static override readonly errorName = 'UnsupportedVersionError'
  static override readonly code = 'UNSUPPORTED_VERSION'
  static override readonly wire = 3
  static override readonly meaning = 'The broker does not speak this version of the protocol.'
}

export class UnsupportedOperationError extends KaskaError {
  static override readonly errorName = 'UnsupportedOperationError'
  static override readonly code = 'UNSUPPORTED_OPERATION'
  static override readonly wire = 4
  static override readonly meaning = 'The broker, or the engine behind it, cannot do this.'
}

export class InvalidTopicError extends KaskaError {
  static override readonly errorName = 'InvalidTopicError'
  static override readonly code = 'INVALID_TOPIC'
  static override readonly wire = 5
  static override readonly meaning =
    'A topic name is 1 to 65,534 bytes of UTF-8 without a NUL (contract 8).'
}

export class TopicExistsError extends KaskaError {
  static override readonly errorName = 'TopicExistsError'
  static override readonly code = 'TOPIC_EXISTS'
  static override readonly wire = 6
  static override readonly meaning = 'There is a topic of this name already.'
}

export class UnknownTopicError extends KaskaError {
  static override readonly errorName = 'UnknownTopicError'
  static override readonly code = 'UNKNOWN_TOPIC'
  static override readonly wire = 7
  static override readonly meaning = 'There is no such topic, or it was deleted.'
}

export class UnknownPartitionError extends KaskaError {
  static override readonly errorName = 'UnknownPartitionError'
  static override readonly code = 'UNKNOWN_PARTITION'
  static override readonly wire = 8
  static override readonly meaning = 'The topic has no partition of this number.'
}

/** The offset lies outside of what the partition holds; both bounds say what it holds. */
export class OffsetOutOfRangeError extends KaskaError {
  static override readonly errorName = 'OffsetOutOfRangeError'
  static override readonly code = 'OFFSET_OUT_OF_RANGE'
  static override readonly wire = 9
  static override readonly meaning = 'The partition holds no message at this offset.'
  /** The first offset that the partition still has. */
  readonly startOffset: number
  /** The next offset to be given. */
  readonly endOffset: number

  constructor(message: string, bounds: { startOffset: number; endOffset: number }) {
    super(message)
    this.startOffset = bounds.startOffset
    this.endOffset = bounds.endOffset
  }
}

export class MessageTooLargeError extends KaskaError {
  static override readonly errorName = 'MessageTooLargeError'
  static override readonly code = 'MESSAGE_TOO_LARGE'
  static override readonly wire = 10
  static override readonly meaning = "The batch is larger than the topic's max.message.bytes."
}

export class InvalidMessageError extends KaskaError {
  static override readonly errorName = 'InvalidMessageError'
  static override readonly code = 'INVALID_MESSAGE'
  static override readonly wire = 11
  static override readonly meaning = 'The batch is damaged or contradicts itself.'
}

export class DiskFullError extends KaskaError {
  static override readonly errorName = 'DiskFullError'
  static override readonly code = 'DISK_FULL'
  static override readonly wire = 12
  static override readonly retriable = true
  static override readonly meaning = "The broker's disk is full; it serves reads meanwhile."
}

export class PartitionOfflineError extends KaskaError {
  static override readonly errorName = 'PartitionOfflineError'
  static override readonly code = 'PARTITION_OFFLINE'
  static override readonly wire = 13
  static override readonly meaning =
    'The partition was taken offline after damage or a failed disk; the text says which.'
}

export class OutOfOrderSequenceError extends KaskaError {
  static override readonly errorName = 'OutOfOrderSequenceError'
  static override readonly code = 'OUT_OF_ORDER_SEQUENCE'
  static override readonly wire = 14
  static override readonly meaning = "A producer's sequence number skips one that never arrived."
}

export class ProducerFencedError extends KaskaError {
  static override readonly errorName = 'ProducerFencedError'
  static override readonly code = 'PRODUCER_FENCED'
  static override readonly wire = 15
  static override readonly meaning = 'A newer producer has taken over this producer id.'
}

export class UnknownProducerError extends KaskaError {
  static override readonly errorName = 'UnknownProducerError'
  static override readonly code = 'UNKNOWN_PRODUCER'
  static override readonly wire = 16
  static override readonly meaning = 'The broker does not know this producer id (any more).'
}

/** The log was cut back behind what this reader has seen: continue at `endOffset`. */
export class LogTruncatedError extends KaskaError {
  static override readonly errorName = 'LogTruncatedError'
  static override readonly code = 'LOG_TRUNCATED'
  static override readonly wire = 17
  static override readonly meaning = 'Messages that were read before are no longer in the log.'
  /** Where what was read and what the log holds begin to differ. */
  readonly endOffset: number

  constructor(message: string, bounds: { endOffset: number }) {
    super(message)
    this.endOffset = bounds.endOffset
  }
}

export class InvalidArgumentError extends KaskaError {
  static override readonly errorName = 'InvalidArgumentError'
  static override readonly code = 'INVALID_ARGUMENT'
  static override readonly wire = 18
  static override readonly meaning =
    'An argument is outside of what it may be; the text says which.'
}

export class UnsupportedCompressionError extends KaskaError {
  static override readonly errorName = 'UnsupportedCompressionError'
  static override readonly code = 'UNSUPPORTED_COMPRESSION'
  static override readonly wire = 19
  static override readonly meaning = 'There is no codec for this compression type here.'
}

export class OverloadedError extends KaskaError {
  static override readonly errorName = 'OverloadedError'
  static override readonly code = 'OVERLOADED'
  static override readonly wire = 20
  static override readonly retriable = true
  static override readonly meaning = 'The broker has no memory free for this now.'
}

export class InternalError extends KaskaError {
  static override readonly errorName = 'InternalError'
  static override readonly code = 'INTERNAL'
  static override readonly wire = 21
  static override readonly meaning = 'A mistake of the broker; its log has the details.'
}

export class NotAuthorizedError extends KaskaError {
  static override readonly errorName = 'NotAuthorizedError'
  static override readonly code = 'NOT_AUTHORIZED'
  static override readonly wire = 22
  static override readonly meaning = 'This client may not do that.'
}

/** Nobody but its members may move what a group has committed, and they are Kafka's consumers. */
export class GroupActiveError extends KaskaError {
  static override readonly errorName = 'GroupActiveError'
  static override readonly code = 'GROUP_ACTIVE'
  static override readonly wire = 23
  static override readonly meaning =
    'The name to commit under is that of a group of Kafka consumers that are running now.'
}

/** The topic's `message.timestamp.after.max.ms` forbids it. */
export class InvalidTimestampError extends KaskaError {
  static override readonly errorName = 'InvalidTimestampError'
  static override readonly code = 'INVALID_TIMESTAMP'
  static override readonly wire = 24
  static override readonly meaning =
    "A message's timestamp lies further in the future than the topic allows."
}

export class AlreadySubscribedError extends KaskaError {
  static override readonly errorName = 'AlreadySubscribedError'
  static override readonly code = 'ALREADY_SUBSCRIBED'
  static override readonly meaning = 'The client is subscribed; unsubscribe first.'
}

export class NotSubscribedError extends KaskaError {
  static override readonly errorName = 'NotSubscribedError'
  static override readonly code = 'NOT_SUBSCRIBED'
  static override readonly meaning = 'The client is not subscribed to this topic.'
}

/** What was asked may have taken effect: on the wire, where the broker has lost the cluster behind it. */
export class ConnectionError extends KaskaError {
  static override readonly errorName = 'ConnectionError'
  static override readonly code = 'CONNECTION'
  static override readonly wire = 25
  static override readonly retriable = true
  static override readonly meaning =
    'There is no connection to the broker, or to the cluster behind it, or it was lost.'
}

export class ClosedError extends KaskaError {
  static override readonly errorName = 'ClosedError'
  static override readonly code = 'CLOSED'
  static override readonly meaning = 'The client, or the broker in this process, was closed.'
}

export class DeliveryTimeoutError extends KaskaError {
  static override readonly errorName = 'DeliveryTimeoutError'
  static override readonly code = 'DELIVERY_TIMEOUT'
  static override readonly meaning =
    'The message was not acknowledged within deliveryTimeoutMs; it may or may not be in the log.'
}

/** A part of a batch was refused. `results` has one entry per message, in order. */
export class SendBatchError extends KaskaError {
  static override readonly errorName = 'SendBatchError'
  static override readonly code = 'SEND_BATCH'
  static override readonly meaning = 'Some partitions took their part of the batch, others did not.'
  /** For each message where it lies, or the error that kept it out. */
  readonly results: readonly (
    | { partition: number; offset: number; timestamp: number }
    | { partition: number; error: Error }
  )[]

  constructor(message: string, results: SendBatchError['results'], options?: ErrorOptions) {
    super(message, options)
    this.results = results
  }
}

/** Another process has the data directory open. */
export class DataDirectoryLockedError extends KaskaError {
  static override readonly errorName = 'DataDirectoryLockedError'
  static override readonly code = 'DATA_DIRECTORY_LOCKED'
  static override readonly meaning = 'Another process has this data directory open.'
}

/** The data directory cannot be used: of a newer format, damaged, or not Kaska's. */
export class DataDirectoryError extends KaskaError {
  static override readonly errorName = 'DataDirectoryError'
  static override readonly code = 'DATA_DIRECTORY'
  static override readonly meaning = 'The data directory cannot be opened; the text says why.'
}

export class AddressInUseError extends KaskaError {
  static override readonly errorName = 'AddressInUseError'
  static override readonly code = 'ADDRESS_IN_USE'
  static override readonly meaning = 'Another program listens on this port.'
}

/** All errors: those with a number travel on the wire. */
export const errorTable: readonly KaskaErrorClass[] = [
  ProtocolError,
  UnsupportedVersionError,
  UnsupportedOperationError,
  InvalidTopicError,
  TopicExistsError,
  UnknownTopicError,
  UnknownPartitionError,
  OffsetOutOfRangeError,
  MessageTooLargeError,
  InvalidMessageError,
  DiskFullError,
  PartitionOfflineError,
  OutOfOrderSequenceError,
  ProducerFencedError,
  UnknownProducerError,
  LogTruncatedError,
  InvalidArgumentError,
  UnsupportedCompressionError,
  OverloadedError,
  InternalError,
  NotAuthorizedError,
  GroupActiveError,
  InvalidTimestampError,
  ConnectionError,
  AlreadySubscribedError,
  NotSubscribedError,
  ClosedError,
  DeliveryTimeoutError,
  SendBatchError,
  DataDirectoryLockedError,
  DataDirectoryError,
  AddressInUseError,
]

/** The wire's number for an error; an error that has none travels as `InternalError`. */
export function wireCode(error: unknown): number {
  if (error instanceof KaskaError) {
    const wire = (error.constructor as unknown as KaskaErrorClass).wire
    if (wire !== 0) return wire
  }
  return InternalError.wire
}

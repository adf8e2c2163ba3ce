/** A refusal with its code, as the rows of administrative answers have it. */
import { InvalidArgumentError, kafka } from '@kaska/protocol'
import { codeOf } from './kafka-error.ts'

/** Thrown within a handler, and answered in the row of what was refused. */
export class Refusal extends Error {
  readonly errorCode: kafka.KafkaErrorCode

  constructor(errorCode: kafka.KafkaErrorCode, message: string) {
    super(message)
    this.errorCode = errorCode
  }
}

export interface RefusedRow {
  readonly errorCode: kafka.KafkaErrorCode
  readonly errorMessage: string
}

/** The fields for what went wrong; settings that are refused have a code of their own. */
export function refusedRow(error: unknown): RefusedRow {
  if (error instanceof Refusal) {
    return { errorCode: error.errorCode, errorMessage: error.message }
  }
  if (error instanceof InvalidArgumentError) {
    return { errorCode: kafka.errorCode.INVALID_CONFIG, errorMessage: error.message }
  }
  const errorCode = codeOf(error)
  return { errorCode, errorMessage: (error as Error).message }
}

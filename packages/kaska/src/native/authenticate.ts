/** `authenticate`: reserved. A broker without authentication says so. */
import { UnsupportedOperationError } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const authenticate: Handler = (request) => {
  request.fail(new UnsupportedOperationError('this broker has no authentication'))
}

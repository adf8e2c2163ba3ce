/** Random bytes from the operating system, by way of Node. */
import { randomBytes } from 'node:crypto'
import type { Random } from '@kaska/protocol'

export const nodeRandom: Random = {
  // A small buffer of Node's is a view of its pool: the copy is not.
  bytes: (length) => new Uint8Array(randomBytes(length)),
}

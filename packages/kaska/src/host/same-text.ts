/** Compares secrets. */
import { createHash, timingSafeEqual } from 'node:crypto'

/** Are they the same? Takes as long wherever they differ, and however long they are. */
export function isSameText(one: string, other: string): boolean {
  const [first, second] = [one, other].map((text) => createHash('sha256').update(text).digest())
  return first !== undefined && second !== undefined && timingSafeEqual(first, second)
}

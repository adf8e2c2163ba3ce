/** Counts of things in words. */
import { count } from '../format.ts'

/** `1 message`, `2,000 messages` */
export function plural(number: number, thing: string): string {
  return `${count(number)} ${thing}${number === 1 ? '' : 's'}`
}

/** How long a process wanted a core and got none: what other programs take does not count as its own slowness. */
import { existsSync, readFileSync } from 'node:fs'

/** Linux's account of a process's first thread: its time on a core, and the time that it waited for one, in nanoseconds. */
export const accountOf = (pid: number | 'self'): string => `/proc/${pid}/schedstat`

export const isAccounted: boolean = existsSync(accountOf('self'))

/** The milliseconds of waiting in such an account; 0 for an empty one. */
export function waitedMs(account: string): number {
  return Number(account.split(' ')[1] ?? 0) / 1e6
}

/** So far, in milliseconds; always 0 where the system does not tell. */
export function waitedSoFar(pid: number | 'self' = 'self'): number {
  return isAccounted ? waitedMs(readFileSync(accountOf(pid), 'latin1')) : 0
}

/** How many files and sockets the process may have open: the soft limit, which Node raises to the hard one as it starts. */
import { readFileSync } from 'node:fs'

/** Undefined where the system does not tell: Linux shows it as a file. */
export function openFilesLimit(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))
    return limit === null ? undefined : Number(limit[1])
  } catch {
    return undefined
  }
}

/**
 * Reports of what peers did wrong, or ask for in vain, within bounds: whoever can connect could else fill
 * the log of the broker, and the disk under it. So many lines pass in a while; the rest of that while is
 * counted.
 */
import type { Clock } from '@kaska/protocol'

const linesMax = 20
const windowMs = 10_000

/** Passes lines on to `report`, and says how many it left out; `about` says what the lines are about. */
export function limitReport(
  report: (line: string) => void,
  clock: Clock,
  about = 'connections',
): (line: string) => void {
  let lines = 0
  let isTimed = false
  const endWindow = () => {
    isTimed = false
    if (lines > linesMax) report(`${lines - linesMax} more lines about ${about} were left out`)
    lines = 0
  }
  return (line) => {
    lines++
    if (lines <= linesMax) report(line)
    if (isTimed) return
    isTimed = true
    clock.after(windowMs, endWindow)
  }
}

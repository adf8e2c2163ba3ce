/** Whether an answer says that something failed: Kafka's errors are codes, somewhere in it. */
import { kafka } from '@kaska/protocol'

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(kafka.errorCode).map(([name, code]) => [code, name]),
)

/** What clients are told in the course of things, and act upon: no failures. */
const ordinary: ReadonlySet<number> = new Set([
  kafka.errorCode.NONE,
  kafka.errorCode.MEMBER_ID_REQUIRED,
  kafka.errorCode.REBALANCE_IN_PROGRESS,
])

/** So many rows of an answer are looked at: a long one is not walked for the sake of a count. */
const rowsMax = 256

/** The name of the first error in the answer, in one of its rows or in one of theirs. */
export function failureIn(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  const left = { rows: rowsMax }
  const code = codeIn(answer as Readonly<Record<string, unknown>>, 2, left)
  return code === 0 ? undefined : (names.get(code) ?? `error ${code}`)
}

/** 0: none. */
function codeIn(
  row: Readonly<Record<string, unknown>>,
  depth: number,
  left: { rows: number },
): number {
  const own = row['errorCode']
  if (typeof own === 'number' && !ordinary.has(own)) return own
  if (depth === 0) return 0
  for (const name in row) {
    const rows = row[name]
    if (!Array.isArray(rows)) continue
    const [first] = rows
    // Views of messages, or a list of numbers or names.
    if (typeof first !== 'object' || first === null || ArrayBuffer.isView(first)) continue
    for (const each of rows) {
      if (--left.rows < 0) return 0
      const code = codeIn(each, depth - 1, left)
      if (code !== 0) return code
    }
  }
  return 0
}

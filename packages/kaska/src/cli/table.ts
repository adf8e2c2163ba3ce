/** A table for people: columns as wide as their longest cell, with a head. */

/** Takes the table's text. */
export interface TextSink {
  text(text: string): void
}

export function writeTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  sink: TextSink,
): void {
  const widths = head.map((cell) => cell.length)
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, Math.min(cell.length, columnWidthMax))
    }
  }
  for (const row of [head, ...rows]) {
    const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
    sink.text(`${line.trimEnd()}\n`)
  }
}

/** One name of 65,534 bytes should not make every line as long. */
const columnWidthMax = 60

/**
 * The pages of docs/reference/, made from the sources that they describe. `npm run docs` writes them; a
 * test fails while one is not up to date.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { errorTable } from '@kaska/protocol'
import { root } from './workspace.ts'

export interface ReferencePage {
  /** Relative to the repository. */
  readonly file: string
  readonly text: string
}

/** All pages, as they should be. */
export function referencePages(): ReferencePage[] {
  return [{ file: 'docs/reference/errors.md', text: errorsPage() }]
}

function errorsPage(): string {
  const rows = errorTable.map(({ errorName, code, wire, retriable, meaning }) => [
    errorName,
    `\`${code}\``,
    wire === 0 ? '' : String(wire),
    retriable ? 'yes' : '',
    meaning,
  ])
  return page(
    'Errors',
    'packages/protocol/src/errors.ts',
    `Every error that Kaska's client or broker reports is a \`KaskaError\`: it has its class's name as
\`name\`, a stable \`code\`, and \`retriable\`, which says whether the same request may succeed when it is
sent again. Match on \`code\` or with \`instanceof\`, never on the text, which may change.

The number is what stands for the error in a response of the native protocol (docs/protocol.md);
errors without one are never sent.

${table(['Error', 'Code', 'Number', 'Retriable', 'Meaning'], rows)}`,
  )
}

function page(title: string, source: string, body: string): string {
  return `# ${title}\n\n<!-- Made from ${source} by \`npm run docs\`. -->\n\n${body}\n`
}

/** A Markdown table; a `|` in a cell is escaped. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

if (import.meta.main) {
  for (const { file, text } of referencePages()) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text)
  }
}

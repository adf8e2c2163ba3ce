/**
 * The pages of docs/reference/, made from the sources that they describe. `npm run docs` writes them; a
 * test fails while one is not up to date.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { errorTable } from '@kaska/protocol'
import type { Command } from 'commander'
import { createProgram } from '../packages/kaska/src/cli/program.ts'
import { Setting } from '../packages/kaska/src/cli/settings.ts'
import { packageVersion } from '../packages/kaska/src/host/package-version.ts'
import { Terminal } from '../packages/kaska/src/host/terminal.ts'
import { root } from './workspace.ts'

export interface ReferencePage {
  /** Relative to the repository. */
  readonly file: string
  readonly text: string
}

/** All pages, as they should be. */
export function referencePages(): ReferencePage[] {
  return [
    { file: 'docs/reference/errors.md', text: errorsPage() },
    { file: 'docs/reference/options.md', text: optionsPage() },
  ]
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

function optionsPage(): string {
  const program = createProgram(new Terminal(), packageVersion())
  const sections = [program, ...program.commands].map((command) => commandSections(command, []))
  return page(
    'Commands and options',
    'packages/kaska/src/cli/program.ts',
    `Where an option can be set in several places, the command line counts first, then the environment
variable, then the config file (\`--config-file\`, whose keys are the options' long names), then the
default.

${sections.join('\n\n')}`,
  )
}

/** A command's section, and those of the commands below it (not of the program itself). */
function commandSections(command: Command, above: readonly string[]): string {
  const isProgram = command.parent === null
  const names = isProgram ? [command.name()] : [...above, command.name()]
  const rows = command.options
    .filter((option) => !option.hidden)
    .map((option) => [
      `\`${option.flags}\``,
      option instanceof Setting ? `\`${option.environmentName}\`` : '',
      option.defaultValue === undefined ? '' : `\`${String(option.defaultValue)}\``,
      option.description.replace(/ \(env: \w+\)$/, ''),
    ])
  const usage = [...(isProgram ? [] : ['kaska']), ...names, command.usage()].join(' ')
  const parts = [
    `## ${isProgram ? '' : 'kaska '}${names.join(' ')}`,
    `\`${usage}\``,
    command.description(),
    ...(rows.length > 0 ? [table(['Option', 'Environment', 'Default', 'Meaning'], rows)] : []),
  ]
  const below = isProgram ? [] : command.commands.map((child) => commandSections(child, names))
  return [parts.join('\n\n'), ...below].join('\n\n')
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

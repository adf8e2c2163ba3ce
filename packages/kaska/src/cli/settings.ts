/**
 * Options that can also be set from outside of the command line. The strongest counts:
 *
 *     the command line  >  an environment variable KASKA_*  >  the config file  >  the default
 *
 * The config file is a JSON object whose keys are the long names of the options:
 *
 *     { "port": 9092, "data": "/var/lib/kaska", "sync": "os", "topic": ["orders:3", "billing"] }
 *
 * A key that no command has is an error; a key of another command is passed over, so that one file
 * serves them all.
 */
import { type Command, Option } from 'commander'
import { UsageError } from './failure.ts'

/** Reads an option's text; `what` is what errors call it (`--port`, `KASKA_PORT`). */
export type ReadValue = (text: string, what: string) => unknown

/** An option with an environment variable and a key in the config file. */
export class Setting extends Option {
  readonly environmentName: string
  readonly read: ReadValue
  /** May it be given several times? A list in the file; separated by commas in the environment. */
  readonly isList: boolean

  constructor(
    flags: string,
    description: string,
    more: { environment: string; read: ReadValue; isList?: boolean },
  ) {
    super(flags, `${description} (env: ${more.environment})`)
    this.environmentName = more.environment
    this.read = more.read
    this.isList = more.isList ?? false
    if (this.required) takeValue(this, more.read, this.isList)
  }

  /** Its key in the config file. */
  get key(): string {
    return (this.long ?? '').replace(/^--/, '')
  }
}

/** Makes an option read its value with `read`, and gather a list where it `isList`. */
export function takeValue<O extends Option>(option: O, read: ReadValue, isList = false): O {
  const what = option.long ?? option.flags
  option.argParser((text: string, previous: unknown) => {
    const value = read(text, what)
    if (!isList) return value
    return Array.isArray(previous) ? [...previous, value] : [value]
  })
  return option
}

/** What a config file holds. */
export type ConfigFile = ReadonlyMap<string, unknown>

/** Reads the text of a config file. Throws UsageError, which names `path`. */
export function parseConfigFile(
  text: string,
  path: string,
  known: ReadonlySet<string>,
): ConfigFile {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (cause) {
    throw new UsageError(`${path} is not JSON: ${(cause as Error).message}`)
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError(
      `${path} is not a JSON object`,
      'its keys are the long names of the options',
    )
  }
  const entries = Object.entries(content)
  for (const [key] of entries) {
    if (!known.has(key)) {
      throw new UsageError(`${path} has an unknown key '${key}'`, `it may have ${list(known)}`)
    }
  }
  return new Map(entries)
}

/** The keys that a config file may have for a program: those of all its commands' settings. */
export function settingKeys(program: Command): Set<string> {
  const keys = new Set<string>()
  const visit = (command: Command): void => {
    for (const option of command.options) if (option instanceof Setting) keys.add(option.key)
    for (const child of command.commands) visit(child)
  }
  visit(program)
  return keys
}

/**
 * Sets what the command line left open from the environment, then from the file. Throws UsageError.
 */
export function applySettings(
  command: Command,
  environment: Readonly<Record<string, string | undefined>>,
  file: { readonly path: string; readonly content: ConfigFile } | undefined,
): void {
  for (const option of command.options) {
    if (!(option instanceof Setting)) continue
    const name = option.attributeName()
    const source = command.getOptionValueSource(name)
    if (source !== undefined && source !== 'default') continue
    const text = environment[option.environmentName]
    if (text !== undefined && text !== '') {
      const value = readText(option, text, option.environmentName)
      command.setOptionValueWithSource(name, value, 'env')
      continue
    }
    const value = file?.content.get(option.key)
    if (file === undefined || value === undefined) continue
    const read = readJson(option, value, `'${option.key}' in ${file.path}`)
    command.setOptionValueWithSource(name, read, 'config')
  }
}

/** How strongly an option's value was said: 0 is its default, 3 the command line. */
export function strengthOf(command: Command, name: string): number {
  const source = command.getOptionValueSource(name) ?? 'default'
  return ['default', 'config', 'env', 'cli'].indexOf(source)
}

function readText(option: Setting, text: string, what: string): unknown {
  if (!option.isList) return keptOf(option, option.read(text, what))
  const parts = text.split(',').map((part) => part.trim())
  return parts.filter((part) => part !== '').map((part) => option.read(part, what))
}

function readJson(option: Setting, value: unknown, what: string): unknown {
  if (option.isList && Array.isArray(value)) {
    return value.map((entry) => option.read(scalar(entry, what), what))
  }
  const read = option.read(scalar(value, what), what)
  return option.isList ? [read] : keptOf(option, read)
}

/** What is kept for `--no-x` is whether there is an x. */
function keptOf(option: Setting, value: unknown): unknown {
  return option.negate ? value !== true : value
}

function scalar(value: unknown, what: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return String(value)
  }
  throw new UsageError(`${what} is neither a text nor a number nor true or false`)
}

function list(names: Iterable<string>): string {
  return [...names].sort().join(', ')
}

/** What the commands' definitions share: the config file, and the way from a parsed command to its work. */
import { type Command, Option } from 'commander'
import type { Terminal } from '../host/terminal.ts'
import { UsageError } from './failure.ts'
import { applySettings, parseConfigFile, settingKeys, takeValue } from './settings.ts'
import { readText } from './values.ts'

/** The config file of a command that has settings. */
export function configFileOption(): Option {
  return takeValue(
    new Option(
      '--config-file <file>',
      'read options from a JSON file: {"port": 9092, ...} (env: KASKA_CONFIG_FILE)',
    ),
    readText,
  )
}

/** Makes an action out of a function that is given the command once its settings are complete. */
export function withSettings(
  terminal: Terminal,
  run: (command: Command) => Promise<void>,
): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1) as Command
    const path = command.opts()['configFile'] ?? terminal.environment['KASKA_CONFIG_FILE']
    applySettings(
      command,
      terminal.environment,
      path ? await readConfigFile(path, command, terminal) : undefined,
    )
    await run(command)
  }
}

async function readConfigFile(path: string, command: Command, terminal: Terminal) {
  let text: string
  try {
    text = await terminal.readText(path)
  } catch (cause) {
    throw new UsageError(`the config file cannot be read: ${(cause as Error).message}`)
  }
  let root = command
  while (root.parent !== null) root = root.parent
  return { path, content: parseConfigFile(text, path, settingKeys(root)) }
}

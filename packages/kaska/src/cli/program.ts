/**
 * The commands with their options and their help. Nothing is done here: an action reads the settings
 * from outside, loads its command's module, and calls it.
 *
 * docs/reference/options.md is made from this.
 */
import { Command } from 'commander'
import type { Terminal } from '../host/terminal.ts'
import { addClientCommands, brokerOption } from './client-commands.ts'
import { configFileOption, withSettings } from './command-action.ts'
import { UsageError } from './failure.ts'
import { Setting } from './settings.ts'
import {
  readBoolean,
  readBytes,
  readChoice,
  readEndpoint,
  readPair,
  readPort,
  readText,
  readTopicSpec,
} from './values.ts'

/** All commands. Output goes to the terminal, and a mistake is thrown as a CommanderError. */
export function createProgram(terminal: Terminal, version: string): Command {
  const program = new Command('kaska')
  program
    .description(
      'Kaska: an event-stream broker with a durable log. Without a command it starts the broker.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .enablePositionalOptions()
    .addOption(brokerOption())
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => terminal.output.text(text),
      writeErr: (text) => terminal.write(text),
      outputError: (text, write) => write(usageLine(text)),
    })
    .addHelpText(
      'after',
      `
Examples:
  kaska                                      start a broker on port 9092, data in ./kaska-data
  kaska topic create orders                  make a topic
  echo 'hello' | kaska produce orders        send each line as a message
  kaska consume orders -o start -e           print all of its messages
  kaska consume orders --as billing          go on where billing was

\`kaska <command> --help\` shows a command's options and examples.`,
    )
  addServe(program, terminal, version)
  addClientCommands(program, terminal)
  addLogCommands(program, terminal)
  return program
}

function addServe(program: Command, terminal: Terminal, version: string): void {
  program
    .command('serve', { isDefault: true })
    .summary('start the broker (what happens without a command)')
    .description(
      'Start the broker. It prints one line when it is ready, and runs until it is stopped.',
    )
    .addOption(
      new Setting('--port <port>', 'where to listen; 0 takes a free one', {
        environment: 'KASKA_PORT',
        read: readPort,
      }).default(9092),
    )
    .addOption(
      new Setting('--host <host>', 'the address to listen at; 0.0.0.0 is every one', {
        environment: 'KASKA_HOST',
        read: readText,
      }).default('127.0.0.1'),
    )
    .addOption(
      new Setting(
        '--advertise <host:port>',
        'the address that Kafka clients are told; the one that they came to unless said',
        { environment: 'KASKA_ADVERTISE', read: readEndpoint },
      ),
    )
    .addOption(
      new Setting('--tls-cert <file>', 'take TLS too, with this certificate (PEM)', {
        environment: 'KASKA_TLS_CERT',
        read: readText,
      }),
    )
    .addOption(
      new Setting('--tls-key <file>', "the certificate's key (PEM, without a passphrase)", {
        environment: 'KASKA_TLS_KEY',
        read: readText,
      }),
    )
    .addOption(
      new Setting('--plaintext', 'with TLS: let other machines connect without it too', {
        environment: 'KASKA_PLAINTEXT',
        read: readBoolean,
      }),
    )
    .addOption(
      new Setting('--http-token <token>', 'what HTTP and WebSocket clients have to show', {
        environment: 'KASKA_HTTP_TOKEN',
        read: readText,
      }),
    )
    .addOption(
      new Setting(
        '--http-host <name>',
        'a name that browsers may call this broker by; repeatable',
        {
          environment: 'KASKA_HTTP_HOST',
          read: readText,
          isList: true,
        },
      ),
    )
    .addOption(
      new Setting(
        '--http-origin <origin>',
        'an origin whose pages may use HTTP and WebSocket here (https://app.example); repeatable',
        {
          environment: 'KASKA_HTTP_ORIGIN',
          read: readText,
          isList: true,
        },
      ),
    )
    .addOption(
      new Setting('--no-http', 'neither HTTP nor WebSocket on the port', {
        environment: 'KASKA_NO_HTTP',
        read: readBoolean,
      }),
    )
    .addOption(
      new Setting(
        '--engine <url>',
        'stand in front of an Apache Kafka cluster (kafka://b1:9092,b2:9092) and keep nothing here',
        { environment: 'KASKA_ENGINE', read: readText },
      ),
    )
    .addOption(
      new Setting('--data <directory>', 'where the messages are kept', {
        environment: 'KASKA_DATA',
        read: readText,
      }).default('./kaska-data'),
    )
    .addOption(
      new Setting('--memory', 'keep everything in memory, and nothing after the end', {
        environment: 'KASKA_MEMORY',
        read: readBoolean,
      }),
    )
    .addOption(
      new Setting(
        '--sync <when>',
        'acknowledge a message when the disk has it (always), or the operating system (os)',
        { environment: 'KASKA_SYNC', read: readChoice('always', 'os') },
      ).default('always'),
    )
    .addOption(
      new Setting('--topic <name[:partitions]>', 'make this topic at the start; repeatable', {
        environment: 'KASKA_TOPIC',
        read: readTopicSpec,
        isList: true,
      }),
    )
    .addOption(
      new Setting(
        '--memory-bytes <size>',
        'the memory for messages on their way: 512m, 1g; 256m unless said',
        {
          environment: 'KASKA_MEMORY_BYTES',
          read: readBytes,
        },
      ),
    )
    .addOption(
      new Setting(
        '--config <name=value>',
        "a setting of the broker by Kafka's name; repeatable (docs/reference/broker-config.md)",
        { environment: 'KASKA_CONFIG', read: readPair, isList: true },
      ),
    )
    .addOption(configFileOption())
    .allowExcessArguments()
    .addHelpText(
      'after',
      `
SIGTERM and SIGINT (Ctrl-C) stop it cleanly; a second one ends it at once.

Examples:
  kaska
  kaska --port 0 --memory
  kaska serve --data /var/lib/kaska --topic orders:3 --topic billing
  kaska serve --host 0.0.0.0 --http-token "$TOKEN" --sync os
  kaska serve --config num.partitions=3 --config log.retention.hours=24
  kaska serve --engine kafka://b1:9092,b2:9092
  KASKA_PORT=9093 kaska`,
    )
    .action(
      withSettings(terminal, async (command) => {
        const [unknown] = command.args
        if (unknown !== undefined) throw unknownCommand(unknown, program)
        const { serve } = await import('./commands/serve.ts')
        await serve(command, terminal, version)
      }),
    )
}

function addLogCommands(program: Command, terminal: Terminal): void {
  const log = program
    .command('log')
    .summary('look at the files of a stopped broker')
    .description('Look at the data directory of a broker that is stopped, and repair it.')
  log
    .command('dump')
    .description('Print every batch that is stored: where it lies, its offsets, bytes and CRC.')
    .argument('<directory>', "the broker's data directory")
    .argument(
      '[part]',
      "only logs whose directory's name holds this: a topic's id, such as `topic list` prints",
    )
    .option('--json', 'one JSON object a line')
    .addHelpText(
      'after',
      '\nExamples:\n  kaska log dump ./kaska-data\n  kaska log dump ./kaska-data --json',
    )
    .action(async (directory: string, part: string | undefined, options: { json?: true }) => {
      const { dumpLog } = await import('./commands/log.ts')
      await dumpLog(directory, part, options.json === true, terminal)
    })
  log
    .command('verify')
    .description(
      'Check every batch; print what is damaged, a torn tail too. Exits with 1 if something is.',
    )
    .argument('<directory>', "the broker's data directory")
    .addHelpText('after', '\nExamples:\n  kaska log verify ./kaska-data')
    .action(async (directory: string) => {
      const { verifyLog } = await import('./commands/log.ts')
      await verifyLog(directory, terminal)
    })
  log
    .command('repair')
    .description(
      'Cut every damaged log back to its sound part. What is cut is moved aside, never deleted.',
    )
    .argument('<directory>', "the broker's data directory")
    .addHelpText(
      'after',
      '\nExamples:\n  kaska log verify ./kaska-data || kaska log repair ./kaska-data',
    )
    .action(async (directory: string) => {
      const { repairLog } = await import('./commands/log.ts')
      await repairLog(directory, terminal)
    })
}

function unknownCommand(name: string, program: Command): UsageError {
  const names = program.commands.map((command) => command.name())
  return new UsageError(`there is no command '${name}'`, `there are ${names.join(', ')}`)
}

/** `error: unknown option '--prot'\n(Did you mean --port?)` as our one line. */
function usageLine(text: string): string {
  const [message = '', ...hints] = text.trim().split('\n')
  const hint = hints.length > 0 ? hints.join(' ').replace(/[()]/g, '').trim() : 'see `--help`'
  return `kaska: ${message.replace(/^error: /, '').replace(/\.$/, '')}; ${hint}\n`
}

/** The commands that speak to a broker: their options and their help. */
import { type Command, Option } from 'commander'
import type { Terminal } from '../host/terminal.ts'
import { configFileOption, withSettings } from './command-action.ts'
import { Setting, takeValue } from './settings.ts'
import {
  readBrokerUrl,
  readCount,
  readPair,
  readPartition,
  readPartitionCount,
  readPartitions,
  readPositive,
  readText,
} from './values.ts'

export function addClientCommands(program: Command, terminal: Terminal): void {
  addTopic(program, terminal)
  addProduce(program, terminal)
  addConsume(program, terminal)
  addOffset(program, terminal)
  addMirror(program, terminal)
  addBench(program, terminal)
}

/** What every command that speaks to a broker has. */
export function brokerOption(): Setting {
  return new Setting(
    '-b, --broker <address>',
    'host:port or a URL; else by BROKER_HOST and BROKER_PORT, else kaska://127.0.0.1:9092',
    { environment: 'KASKA_URL', read: readBrokerUrl },
  )
}

function partitionOption(): Option {
  return takeValue(new Option('-p, --partition <number>', 'the partition'), readPartition)
}

function addTopic(program: Command, terminal: Terminal): void {
  const topic = program.command('topic').summary('make, list, describe and delete topics')
  topic.description('Make, list, describe and delete topics.')
  topic
    .command('create')
    .description('Make topics. It is an error if one exists already.')
    .argument('<name...>', '1 to 65,534 bytes of UTF-8')
    .addOption(
      takeValue(
        new Option('-p, --partitions <count>', 'how many partitions each has').default(1),
        readPartitionCount,
      ),
    )
    .addOption(
      takeValue(
        new Option('-c, --topic-config <name=value>', "a setting, by Kafka's names; repeatable"),
        readPair,
        true,
      ),
    )
    .option('--if-not-exists', 'leave a topic that exists as it is')
    .addOption(brokerOption())
    .addOption(configFileOption())
    .addHelpText(
      'after',
      `
Examples:
  kaska topic create orders
  kaska topic create orders billing -p 3
  kaska topic create big -c max.message.bytes=1048576`,
    )
    .action(
      withSettings(terminal, async (command) => {
        const { createTopics } = await import('./commands/topic.ts')
        await createTopics(command, terminal)
      }),
    )
  topic
    .command('list')
    .alias('ls')
    .description('Print all topics in the order of their creation.')
    .option('-q, --quiet', 'names alone, one a line')
    .option('--json', 'one JSON object a line')
    .addOption(brokerOption())
    .addOption(configFileOption())
    .addHelpText('after', '\nExamples:\n  kaska topic list\n  kaska topic list -q | wc -l')
    .action(
      withSettings(terminal, async (command) => {
        const { listTopics } = await import('./commands/topic.ts')
        await listTopics(command, terminal)
      }),
    )
  topic
    .command('describe')
    .description("Print topics' partitions with their first and next offsets, and their settings.")
    .argument('<name...>')
    .option('--json', 'one JSON object a line')
    .addOption(brokerOption())
    .addOption(configFileOption())
    .addHelpText(
      'after',
      '\nExamples:\n  kaska topic describe orders\n  kaska topic describe orders --json',
    )
    .action(
      withSettings(terminal, async (command) => {
        const { describeTopics } = await import('./commands/topic.ts')
        await describeTopics(command, terminal)
      }),
    )
  topic
    .command('delete')
    .alias('rm')
    .description('Delete topics with all their messages and committed offsets.')
    .argument('<name...>')
    .addOption(brokerOption())
    .addOption(configFileOption())
    .addHelpText('after', '\nExamples:\n  kaska topic delete orders')
    .action(
      withSettings(terminal, async (command) => {
        const { deleteTopics } = await import('./commands/topic.ts')
        await deleteTopics(command, terminal)
      }),
    )
}

function addProduce(program: Command, terminal: Terminal): void {
  program
    .command('produce')
    .summary('send messages')
    .description(
      'Send each line of standard input as a message: empty lines, and a last one without a newline, ' +
        'too. A line may hold any bytes. It ends when all messages are acknowledged.',
    )
    .argument('[topic]', 'where to; --json lines may name their own')
    .option('-k, --key <key>', 'the key of every message')
    .option('-K, --key-delimiter <text>', 'the key stands before this in each line; \\t is a tab')
    .addOption(
      takeValue(
        new Option('-H, --header <name=value>', 'a header for every message; repeatable'),
        readPair,
        true,
      ),
    )
    .option('-Z, --null', 'an empty value, or key by -K, is null')
    .addOption(partitionOption())
    .option('--file <path>', 'send a whole file as one message; - is standard input')
    .addOption(
      new Option('-J, --json', 'each line is a message as `consume --json` prints it').conflicts([
        'key',
        'keyDelimiter',
        'header',
        'null',
        'file',
      ]),
    )
    .addOption(brokerOption())
    .addOption(configFileOption())
    .addHelpText(
      'after',
      `
A message goes to the partition given, else by its key as Kafka's clients choose it, else to any.
A line without the delimiter of -K has no key. The topic has to exist.

Examples:
  echo 'hello' | kaska produce orders
  seq 1000 | kaska produce orders
  printf 'k1:v1\\nk2:v2\\n' | kaska produce orders -K :
  kaska produce photos --file cat.jpg -k cat -H type=image/jpeg
  kaska consume orders -o start -e --json | kaska produce copies --json`,
    )
    .action(
      withSettings(terminal, async (command) => {
        const { produce } = await import('./commands/produce.ts')
        await produce(command, terminal)
      }),
    )
}

function addConsume(program: Command, terminal: Terminal): void {
  program
    .command('consume')
    .summary('print messages')
    .description(
      'Print messages as they come: the value and a newline, unless -f or --json is given.',
    )
    .argument('<topic...>')
    .option('-o, --offset <where>', 'where to begin: see below', 'end')
    .addOption(
      takeValue(new Option('-n, --count <count>', 'stop after so many messages'), readCount),
    )
    .option('-e, --exit', 'stop at what is the end when it begins')
    .addOption(
      takeValue(
        new Option('-p, --partition <numbers>', 'these partitions alone: 0 or 0,2; repeatable'),
        readPartitions,
        true,
      ),
    )
    .option('--as <name>', 'go on where this name was, and commit as it goes')
    .option('-f, --format <format>', 'how to print a message: see below')
    .option('-K, --key-delimiter <text>', 'print the key, then this, then the value')
    .option('-Z, --null', 'print NULL for a null key or value')
    .addOption(
      new Option('-J, --json', 'one JSON object a line').conflicts([
        'format',
        'keyDelimiter',
        'null',
      ]),
    )
    .addOption(brokerOption())
    .addOption(configFileOption())
    .addHelpText(
      'after',
      `
Where to begin (-o), in each partition:
  start, end       at the first message; behind the last one (the default)
  17, -5, +5       at offset 17; 5 before the end; 5 after the start
  @1790000000000   at the first message of that time (ms since 1970) or later; also
                   @2026-01-31, @2026-01-31T12:00:00Z, @-1h30m (ago)
  a:b, a:, :b      from a until before b, then stop; :end is all that is there

Formats (-f):
  %t topic   %p partition   %o offset   %T timestamp in ms   %h headers   %% percent
  %k key     %K its bytes   %v or %s value   %V or %S its bytes (-1: null)
  \\n \\r \\t \\0 \\\\ \\xNN

With --as it begins at what the name has committed; a name that has committed nothing begins at -o,
and has that place from then on. What was printed is committed every second and at the end; after a
crash the messages of the last second are printed again.

Ctrl-C stops it cleanly, with exit code 0.

Examples:
  kaska consume orders                          what comes from now on
  kaska consume orders -o start -n 10           the first ten
  kaska consume orders -o -1 -e                 the last one
  kaska consume orders -o @-1h:end --json       the last hour
  kaska consume orders billing -f '%t %o %k=%v\\n'
  kaska consume orders --as billing             go on where billing was`,
    )
    .action(
      withSettings(terminal, async (command) => {
        const { consume } = await import('./commands/consume.ts')
        await consume(command, terminal)
      }),
    )
}

function addOffset(program: Command, terminal: Terminal): void {
  const offset = program.command('offset').summary('ask for offsets, and commit them')
  offset.description(
    'Ask for offsets, and commit them. The partition is 0 unless -p says otherwise.',
  )
  const add = (
    name: string,
    description: string,
    args: readonly (readonly [string, string])[],
    example: string,
    run: (command: Command) => Promise<void>,
  ): Command => {
    const command = offset.command(name).description(description)
    for (const [argument, text] of args) command.argument(argument, text)
    return command
      .addOption(partitionOption())
      .addOption(brokerOption())
      .addOption(configFileOption())
      .addHelpText('after', `\nExamples:\n  ${example}`)
      .action(withSettings(terminal, run))
  }
  const topic = ['<topic>', ''] as const
  const reader = ['<name>', 'who commits: any text, such as billing'] as const
  add(
    'get',
    "Print a topic's first and next offset in each partition.",
    [topic],
    'kaska offset get orders',
    async (command) => (await import('./commands/offset.ts')).getOffsets(command, terminal),
  ).option('--json', 'one JSON object a line')
  add(
    'end',
    'Print the offset that the next message will get.',
    [topic],
    'kaska offset end orders -p 2',
    async (command) => (await import('./commands/offset.ts')).endOffset(command, terminal),
  )
  add(
    'at',
    'Print the offset of the first message of a time or later. Exits with 1 if there is none.',
    [topic, ['<time>', 'ms since 1970, 2026-01-31, 2026-01-31T12:00:00Z, or @-1h30m (ago)']],
    'kaska offset at orders 2026-01-31T12:00:00Z',
    async (command) => (await import('./commands/offset.ts')).offsetAt(command, terminal),
  )
  add(
    'committed',
    'Print what a name has committed in a topic. Exits with 1 if it has not.',
    [reader, topic],
    'kaska offset committed billing orders',
    async (command) => (await import('./commands/offset.ts')).committed(command, terminal),
  )
  add(
    'commit',
    'Commit an offset for a name: where it is to go on.',
    [reader, topic, ['<offset>', 'the offset of the next message to read']],
    'kaska offset commit billing orders 17',
    async (command) => (await import('./commands/offset.ts')).commit(command, terminal),
  )
}

function addMirror(program: Command, terminal: Terminal): void {
  program
    .command('mirror')
    .summary('copy topics to another broker or cluster')
    .description(
      'Copy topics with their settings and messages to another broker or cluster, and follow them ' +
        'until Ctrl-C. It goes on where it was, whatever ended it: nothing is lost, nothing repeated.',
    )
    .addOption(
      takeValue(new Option('--from <address>', 'the source'), readBrokerUrl).makeOptionMandatory(),
    )
    .addOption(
      takeValue(new Option('--to <address>', 'the target'), readBrokerUrl).makeOptionMandatory(),
    )
    .addOption(
      takeValue(
        new Option(
          '--topic <pattern>',
          'topics by name, * for any characters, ? for one; repeatable; all but __* unless said',
        ),
        readText,
        true,
      ),
    )
    .addOption(
      takeValue(
        new Option('--group <name>', 'translate the committed offsets of this name; repeatable'),
        readText,
        true,
      ),
    )
    .addOption(
      takeValue(
        new Option(
          '--setting <name=value>',
          "a setting of the target's topics instead of the source's; none without a value; repeatable",
        ),
        readPair,
        true,
      ),
    )
    .option('--once', 'end with what was at the source at the start')
    .addOption(
      new Option(
        '--cut-over',
        'the same, when producers and consumers are stopped: fails if anybody still uses either side',
      ).conflicts('once'),
    )
    .addOption(
      new Option('--verify', 'copy nothing: compare both sides by count and checksum').conflicts([
        'once',
        'cutOver',
        'group',
        'setting',
      ]),
    )
    .addOption(
      takeValue(
        new Option(
          '--since <time>',
          'with --verify: from this time on, such as 2h, 2026-01-31T12:00 or milliseconds since 1970',
        ),
        readText,
      ),
    )
    .addHelpText(
      'after',
      `
Nobody else may write to the target's topics until you have moved. docs/mirror.md says how to.

Examples:
  kaska mirror --from localhost:9092 --to kafka://b1:9092,b2:9092 --group billing
  kaska mirror --from localhost:9092 --to kafka://b1:9092,b2:9092 --group billing --cut-over
  kaska mirror --from localhost:9092 --to other:9092 --topic 'orders*' --once
  kaska mirror --from localhost:9092 --to other:9092 --verify --since 2h`,
    )
    .action(
      withSettings(terminal, async (command) => {
        const { mirror } = await import('./commands/mirror.ts')
        await mirror(command, terminal)
      }),
    )
}

function addBench(program: Command, terminal: Terminal): void {
  program
    .command('bench')
    .summary('put a small load on a broker')
    .description(
      'Send messages and read them back; print the speed and the latencies of both ways.',
    )
    .addOption(
      takeValue(new Option('-n, --messages <count>', 'how many').default(100_000), readPositive),
    )
    .addOption(takeValue(new Option('--size <bytes>', 'of a value').default(1024), readCount))
    .addOption(
      takeValue(new Option('--batch <count>', 'messages in a request').default(100), readPositive),
    )
    .addOption(
      takeValue(
        new Option('--topic <name>', 'into this one; else one of its own, deleted at the end'),
        readText,
      ),
    )
    .addOption(brokerOption())
    .addOption(configFileOption())
    .addHelpText(
      'after',
      '\nExamples:\n  kaska bench\n  kaska bench --size 100 --batch 1000 -n 1000000',
    )
    .action(
      withSettings(terminal, async (command) => {
        const { bench } = await import('./commands/bench.ts')
        await bench(command, terminal)
      }),
    )
}

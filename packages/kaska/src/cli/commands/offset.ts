/** `kaska offset get|end|at|committed|commit` */
import type { Command } from 'commander'
import { nodeClock } from '../../host/node-clock.ts'
import type { Terminal } from '../../host/terminal.ts'
import { CommandError, oneLine, UsageError } from '../failure.ts'
import { parseTimestamp } from '../offset-range.ts'
import { writeTable } from '../table.ts'
import { readCount } from '../values.ts'
import { withClient } from './broker-client.ts'

interface OffsetOptions {
  readonly partition?: number
  readonly json?: true
}

export async function getOffsets(command: Command, terminal: Terminal): Promise<void> {
  const [topic] = argumentsOf(command)
  const { partition, json } = command.opts<OffsetOptions>()
  const { output } = terminal
  await withClient(command, terminal, async (client) => {
    const { partitions } = await client.describeTopic(topic)
    const wanted =
      partition === undefined
        ? Array.from({ length: partitions }, (_, index) => index)
        : [partition]
    const rows = await Promise.all(
      wanted.map(async (partition) => ({
        partition,
        startOffset: await client.startOffset(topic, partition),
        endOffset: await client.endOffset(topic, partition),
      })),
    )
    if (json === true) {
      for (const row of rows) output.text(`${JSON.stringify(row)}\n`)
    } else {
      const cells = rows.map((row) => [row.partition, row.startOffset, row.endOffset].map(String))
      writeTable(['PARTITION', 'START', 'END'], cells, output)
    }
    await output.send()
  })
}

export async function endOffset(command: Command, terminal: Terminal): Promise<void> {
  const [topic] = argumentsOf(command)
  const offset = await withClient(command, terminal, (client) =>
    client.endOffset(topic, partitionOf(command)),
  )
  await print(offset, terminal)
}

export async function offsetAt(command: Command, terminal: Terminal): Promise<void> {
  const [topic, time] = argumentsOf(command)
  const timestamp = parseTimestamp(time.replace(/^@/, ''), nodeClock.now())
  if (timestamp === undefined) {
    throw new UsageError(
      `'${time}' is not a time`,
      'it is in ms since 1970, or 2026-01-31, 2026-01-31T12:00:00Z, @-1h30m',
    )
  }
  const partition = partitionOf(command)
  const offset = await withClient(command, terminal, (client) =>
    client.offsetAt(topic, timestamp, partition),
  )
  if (offset === undefined) {
    throw new CommandError(`no message in ${oneLine(topic)}/${partition} is of that time or later`)
  }
  await print(offset, terminal)
}

export async function committed(command: Command, terminal: Terminal): Promise<void> {
  const [name, topic] = argumentsOf(command)
  const partition = partitionOf(command)
  const offset = await withClient(command, terminal, (client) =>
    client.committed(name, topic, partition),
  )
  if (offset === undefined) {
    throw new CommandError(
      `${oneLine(name)} has committed nothing in ${oneLine(topic)}/${partition}`,
    )
  }
  await print(offset, terminal)
}

export async function commit(command: Command, terminal: Terminal): Promise<void> {
  const [name, topic, text] = argumentsOf(command)
  const offset = readCount(text, 'the offset')
  const partition = partitionOf(command)
  await withClient(command, terminal, (client) => client.commit(name, topic, offset, partition))
}

/** The library has the same default. */
function partitionOf(command: Command): number {
  return command.opts<OffsetOptions>().partition ?? 0
}

/** As many as the command has: commander has counted them. */
function argumentsOf(command: Command): [string, string, string] {
  const [first = '', second = '', third = ''] = command.args
  return [first, second, third]
}

async function print(offset: number, terminal: Terminal): Promise<void> {
  terminal.output.text(`${offset}\n`)
  await terminal.output.send()
}

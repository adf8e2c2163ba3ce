/** `kaska topic create|list|describe|delete` */
import { KaskaError } from '@kaska/protocol'
import type { Command } from 'commander'
import type { Terminal } from '../../host/terminal.ts'
import { count } from '../count.ts'
import { oneLine } from '../failure.ts'
import { writeTable } from '../table.ts'
import { withClient } from './broker-client.ts'

interface CreateOptions {
  readonly partitions: number
  readonly topicConfig?: readonly (readonly [string, string])[]
  readonly ifNotExists?: true
}

export async function createTopics(command: Command, terminal: Terminal): Promise<void> {
  const { partitions, topicConfig = [], ifNotExists } = command.opts<CreateOptions>()
  const config = Object.fromEntries(topicConfig)
  await withClient(command, terminal, async (client) => {
    for (const name of new Set(command.args)) {
      try {
        await client.createTopic(name, { partitions, config })
        terminal.say(`Made the topic ${oneLine(name)} with ${count(partitions, 'partition')}.`)
      } catch (error) {
        const exists = error instanceof KaskaError && error.code === 'TOPIC_EXISTS'
        if (!exists || ifNotExists !== true) throw error
        terminal.say(`The topic ${oneLine(name)} exists.`)
      }
    }
  })
}

export async function deleteTopics(command: Command, terminal: Terminal): Promise<void> {
  await withClient(command, terminal, async (client) => {
    for (const name of new Set(command.args)) {
      await client.deleteTopic(name)
      terminal.say(`Deleted the topic ${oneLine(name)}.`)
    }
  })
}

export async function listTopics(command: Command, terminal: Terminal): Promise<void> {
  const { quiet, json } = command.opts<{ quiet?: true; json?: true }>()
  const topics = await withClient(command, terminal, (client) => client.topics())
  const { output } = terminal
  if (json === true) {
    for (const { name, id, partitions } of topics) {
      output.text(`${JSON.stringify({ name, id, partitions })}\n`)
    }
  } else if (quiet === true) {
    for (const { name } of topics) output.text(`${oneLine(name)}\n`)
  } else {
    const rows = topics.map(({ name, id, partitions }) => [oneLine(name), String(partitions), id])
    writeTable(['NAME', 'PARTITIONS', 'ID'], rows, output)
  }
  await output.send()
}

export async function describeTopics(command: Command, terminal: Terminal): Promise<void> {
  const { json } = command.opts<{ json?: true }>()
  const { output } = terminal
  await withClient(command, terminal, async (client) => {
    let separator = ''
    for (const name of new Set(command.args)) {
      const topic = await client.describeTopic(name)
      const partitions = await Promise.all(
        Array.from({ length: topic.partitions }, async (_, partition) => ({
          partition,
          startOffset: await client.startOffset(name, partition),
          endOffset: await client.endOffset(name, partition),
        })),
      )
      if (json === true) {
        const { id, config } = topic
        output.text(`${JSON.stringify({ name, id, partitions, config })}\n`)
        continue
      }
      output.text(`${separator}TOPIC  ${oneLine(name)}\nID     ${topic.id}\n\n`)
      separator = '\n'
      const rows = partitions.map((row) =>
        [row.partition, row.startOffset, row.endOffset].map(String),
      )
      writeTable(['PARTITION', 'START', 'END'], rows, output)
      output.text('\n')
      const settings = topic.config.map(({ name, value, isDefault }) => [
        name,
        oneLine(value),
        isDefault ? 'default' : 'set',
      ])
      writeTable(['SETTING', 'VALUE', 'FROM'], settings, output)
    }
    await output.send()
  })
}

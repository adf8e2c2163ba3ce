/** The connection of a command to its broker. */
import { type Client, connect } from '@kaska/client'
import type { Command } from 'commander'
import type { Terminal } from '../../host/terminal.ts'
import { brokerUrl } from '../values.ts'

/** Connects, runs, and closes, whatever happens. */
export async function withClient<T>(
  command: Command,
  terminal: Terminal,
  run: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connect(addressOf(command, terminal), { clientId: 'kaska-cli' })
  try {
    return await run(client)
  } finally {
    await client.close()
  }
}

/** `-b` behind the command, before it (`kaska -b host topic list`), then what was set elsewhere. */
function addressOf(command: Command, terminal: Terminal): string {
  let root = command
  while (root.parent !== null) root = root.parent
  const own: string | undefined = command.opts()['broker']
  const before: string | undefined = root.opts()['broker']
  const isOwn = command.getOptionValueSource('broker') === 'cli'
  return brokerUrl(isOwn ? own : (before ?? own), terminal.environment)
}

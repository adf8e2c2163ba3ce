/**
 * The native protocol from this page: `@kaska/client` over WebSocket, the same library that programs use. One
 * connection for what is asked now and then; who follows topics takes one of its own.
 */
import { type Client, type ConnectOptions, connect } from '@kaska/client'

const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
const url = `${scheme}://${location.host}/ws`

let shared: Promise<Client> | undefined

/** The page's connection. It comes back by itself when it is lost. */
export function sharedClient(): Promise<Client> {
  shared ??= openClient().catch((error) => {
    shared = undefined
    throw error
  })
  return shared
}

/** A connection of one's own; to be closed. */
export function openClient(options: ConnectOptions = {}): Promise<Client> {
  return connect(url, { clientId: 'console', ...options })
}

/** Connections over the host's own WebSocket: a browser's, or that of Node. */
import type { Dialer } from '../seams.ts'
import { dialWebSocket } from '../websocket-transport.ts'

export function createWebSocketDialer(url: string): Dialer {
  return {
    address: url,
    dial: (receiver, signal) => dialWebSocket(new WebSocket(url, 'kaska'), url, receiver, signal),
  }
}

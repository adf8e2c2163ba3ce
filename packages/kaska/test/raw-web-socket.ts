/** A WebSocket by its bytes, for what no well-behaved client sends. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9 } as const

export interface RawWebSocket {
  readonly socket: Socket
  /** Sends a frame with a mask of zeros. */
  send(opcode: number, payload: Uint8Array, options?: { readonly isLast?: boolean }): boolean
  /** Resolves when the connection has ended, with the code of the close frame; undefined without one. */
  readonly closed: Promise<number | undefined>
}

/** Resolves when it is open. */
export async function openWebSocket(port: number, head = ''): Promise<RawWebSocket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  let received = Buffer.alloc(0)
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${head}Upgrade: websocket\r\n` +
      'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  const [first] = (await once(socket, 'data')) as [Buffer]
  if (!first.toString('latin1').startsWith('HTTP/1.1 101 ')) throw new Error(first.toString())
  socket.on('data', (chunk: Buffer) => {
    if (received.length < 1000) received = Buffer.concat([received, chunk])
  })
  const closed = new Promise<number | undefined>((resolve) => {
    socket.on('close', () => {
      const at = received.indexOf(0x88)
      resolve(at < 0 || received.length < at + 4 ? undefined : received.readUInt16BE(at + 2))
    })
  })
  return {
    socket,
    closed,
    send: (opcode, payload, { isLast = true } = {}) => socket.write(frame(opcode, payload, isLast)),
  }
}

export function frame(opcode: number, payload: Uint8Array, isLast = true): Buffer {
  const head = Buffer.alloc(14)
  head[0] = opcode | (isLast ? 0x80 : 0)
  let length = 2
  if (payload.length < 126) head[1] = 0x80 | payload.length
  else if (payload.length < 65536) {
    head[1] = 0x80 | 126
    length = 2 + head.writeUInt16BE(payload.length, 2) - 2
  } else {
    head[1] = 0x80 | 127
    length = head.writeBigUInt64BE(BigInt(payload.length), 2)
  }
  return Buffer.concat([head.subarray(0, length + 4), payload])
}

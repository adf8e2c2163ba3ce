import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Receiver } from '@kaska/protocol'
import { dialWebSocket, type WebSocketLike } from './websocket-transport.ts'

class FakeWebSocket implements WebSocketLike {
  binaryType = 'blob'
  readyState = 0
  bufferedAmount = 0
  onopen: ((event: never) => void) | null = null
  onmessage: ((event: never) => void) | null = null
  onerror: ((event: never) => void) | null = null
  onclose: ((event: never) => void) | null = null
  readonly sent: Uint8Array[] = []
  isClosed = false

  send(data: Uint8Array): void {
    this.sent.push(new Uint8Array(data))
  }

  close(): void {
    this.isClosed = true
  }

  emit(name: 'onopen' | 'onmessage' | 'onerror' | 'onclose', event: unknown = {}): void {
    if (name === 'onopen') this.readyState = 1
    if (name === 'onclose') this.readyState = 3
    this[name]?.(event as never)
  }
}

function createReceiver(): Receiver & { chunks: Uint8Array[]; closedCount: number } {
  return {
    chunks: [],
    closedCount: 0,
    received(chunk) {
      this.chunks.push(chunk)
    },
    closed() {
      this.closedCount++
    },
  }
}

const never = new AbortController().signal

test('what is written at once is one message; messages come in as they are', async () => {
  const socket = new FakeWebSocket()
  const receiver = createReceiver()
  const dialled = dialWebSocket(socket, 'ws://x', receiver, never)
  assert.equal(socket.binaryType, 'arraybuffer')
  socket.emit('onopen')
  const transport = await dialled
  await new Promise<void>((resolve) => {
    transport.write([Uint8Array.of(1, 2), Uint8Array.of(3)], resolve)
  })
  assert.deepEqual(socket.sent, [Uint8Array.of(1, 2, 3)])
  const data = Uint8Array.of(4, 5).buffer
  socket.emit('onmessage', { data })
  assert.equal(receiver.chunks[0]?.buffer, data)
  socket.bufferedAmount = 7
  assert.equal(transport.unsentBytes, 7)
  socket.emit('onmessage', { data: 'text' })
  assert.equal(socket.isClosed, true)
  socket.emit('onerror')
  socket.emit('onclose')
  assert.equal(receiver.closedCount, 1)
  // Nothing is sent any more, and who waits for it is told all the same.
  await new Promise<void>((resolve) => {
    transport.write([Uint8Array.of(6)], resolve)
  })
  assert.equal(socket.sent.length, 1)
})

test('a WebSocket that does not open, and one that is waited for no longer', async () => {
  const socket = new FakeWebSocket()
  const receiver = createReceiver()
  const failed = assert.rejects(dialWebSocket(socket, 'ws://x', receiver, never), {
    code: 'CONNECTION',
  })
  socket.emit('onerror')
  socket.emit('onclose')
  await failed
  assert.equal(receiver.closedCount, 0)

  const other = new FakeWebSocket()
  const controller = new AbortController()
  const aborted = assert.rejects(dialWebSocket(other, 'ws://x', receiver, controller.signal), /no/)
  controller.abort(new Error('no'))
  await aborted
  assert.equal(other.isClosed, true)
})

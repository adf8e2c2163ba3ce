/**
 * The measure for the broker: a bare server that only reads bytes and appends them to a file. It looks at
 * none of them. For each append it answers with the number of bytes that it has taken on the
 * connection so far (a little-endian double), so that a sender can keep a window.
 *
 *     node bench/sink.ts --file FILE --way sync|pool --sync always|os [--crc]
 *
 * sync: `writeSync`, in the event loop; pool: `writev` through the thread pool, gathered while one is
 * under way. With `--sync always` it answers after an fdatasync, one at a time, each covering all that
 * was written before it. With `--crc` it also computes a CRC-32C of all that it reads, for the figure
 * beside the measure. When its last sender ends it empties the file, so that a long measurement
 * is not one of the disk, and only then ends the connection: a sender that waits for that leaves no work behind
 * which would run beside what is measured next. Prints its port when it listens.
 */
import { fdatasync, ftruncateSync, openSync, writeSync, writev } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { loadCrc32c } from '../packages/kaska/src/host/crc32c.ts'

const { values } = parseArgs({
  options: {
    file: { type: 'string' },
    way: { type: 'string' },
    sync: { type: 'string' },
    crc: { type: 'boolean' },
  },
})
if (values.file === undefined) throw new Error('--file is missing')
const file = openSync(values.file, 'w')
const isPool = values.way === 'pool'
const isSynced = values.sync === 'always'

interface Sender {
  readonly socket: Socket
  /** Bytes that are written (and synced, where that is asked for). */
  taken: number
}

let senders = 0
let position = 0
let waiting: { sender: Sender; chunk: Uint8Array }[] = []
let isWriting = false
let unsynced: Sender[] = []
let isSyncing = false

const crc32c = values.crc ? loadCrc32c() : undefined

function take(sender: Sender, chunk: Uint8Array): void {
  crc32c?.(chunk, 0)
  if (isPool) {
    waiting.push({ sender, chunk })
    if (!isWriting) writeWaiting()
    return
  }
  for (let written = 0; written < chunk.length; ) {
    written += writeSync(file, chunk, written, chunk.length - written, position + written)
  }
  position += chunk.length
  sender.taken += chunk.length
  written(sender)
}

function writeWaiting(): void {
  isWriting = true
  const group = waiting.slice(0, 1024)
  waiting = waiting.slice(1024)
  const length = group.reduce((sum, { chunk }) => sum + chunk.length, 0)
  const views = group.map(({ chunk }) => chunk)
  writev(file, views, position, (error, bytesWritten) => {
    if (error !== null) throw error
    if (bytesWritten !== length) throw new Error('a partial write')
    isWriting = false
    position += length
    for (const { sender, chunk } of group) sender.taken += chunk.length
    for (const sender of new Set(group.map(({ sender }) => sender))) written(sender)
    if (waiting.length > 0) writeWaiting()
  })
}

function written(sender: Sender): void {
  if (!isSynced) {
    acknowledge(sender)
    return
  }
  unsynced.push(sender)
  if (!isSyncing) syncUnsynced()
}

function syncUnsynced(): void {
  isSyncing = true
  const group = new Map([...new Set(unsynced)].map((sender) => [sender, sender.taken]))
  unsynced = []
  fdatasync(file, (error) => {
    if (error !== null) throw error
    isSyncing = false
    for (const [sender, taken] of group) acknowledge(sender, taken)
    if (unsynced.length > 0) syncUnsynced()
  })
}

function acknowledge(sender: Sender, taken = sender.taken): void {
  const answer = new Uint8Array(8)
  new DataView(answer.buffer).setFloat64(0, taken, true)
  sender.socket.write(answer)
}

const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  const sender: Sender = { socket, taken: 0 }
  senders++
  let isHere = true
  const leave = (): void => {
    if (!isHere) return
    isHere = false
    senders--
    if (senders > 0 || isWriting || isSyncing) return
    ftruncateSync(file, 0)
    position = 0
  }
  socket.on('end', () => {
    leave()
    socket.end()
  })
  socket.on('close', leave)
  socket.on('data', (chunk) => take(sender, chunk as Uint8Array))
  socket.on('error', () => socket.destroy())
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`)
})

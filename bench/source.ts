/**
 * The measure for consuming: a bare server that sends ranges of a file, as a broker does whose reader is
 * behind. It looks at nothing. A request is a position (int64) and a length
 * (int32), both little-endian; the answer is that many bytes, read from the page cache into one buffer and written from there.
 *
 *     node bench/source.ts --file FILE --bytes COUNT
 *
 * Makes the file first. Prints its port when it listens.
 */
import { openSync, readSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import process from 'node:process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { file: { type: 'string' }, bytes: { type: 'string', default: '1048576' } },
})
if (values.file === undefined) throw new Error('--file is missing')
const file = openSync(values.file, 'w+')
const block = Buffer.alloc(1024 * 1024, 'abcdefghijklmnopqrstuvwxyz')
for (let written = 0; written < Number(values.bytes); written += block.length)
  writeSync(file, block)

const requestBytes = 12

const server = createServer({ noDelay: true }, (socket) => {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= requestBytes) {
      const position = Number(rest.readBigInt64LE(0))
      const answer = Buffer.allocUnsafeSlow(rest.readInt32LE(8))
      rest = rest.subarray(requestBytes)
      if (readSync(file, answer, 0, answer.length, position) !== answer.length) {
        socket.destroy()
        return
      }
      socket.write(answer)
    }
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`)
})

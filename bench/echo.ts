/** A bare echo, what a round trip costs at the least: sends back all that it reads. Prints its port. */
import { createServer } from 'node:net'
import process from 'node:process'

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => socket.write(chunk))
  socket.on('error', () => socket.destroy())
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`)
})

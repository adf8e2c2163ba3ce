/**
 * Contract 5: every number on the wire has a defined byte order and width, and nothing depends on the
 * host. A fixed conversation in bytes, written by hand from docs/protocol.md, has to give these very
 * bytes: in whole frames, in single bytes, in memory and over a socket.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { createTransportPair } from '@kaska/protocol'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'

const id = '00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff'

/** A record with the value "hi". */
const hi = '10 00 00 00 01 04 68 69 00'
/** One with a key, no value and a header; one with a value of 0 bytes and a header without one. */
const two = '16 00 00 00 02 6b 01 02 02 68 02 78  12 00 01 02 01 00 02 02 68 01'

/** Bytes of a request, and those of its answer. */
const conversation: readonly (readonly [what: string, request: string, answer: string])[] = [
  [
    'the preamble and identify as "me"; frameBytesMax is 32 MiB, no flags',
    '4b 53 4b 01  05 03 01 02 6d 65',
    '2a 01 00 0b 6b 61 73 6b 61 20 30 2e 31 2e 30' +
      ' 16 42 77 63 48 42 77 63 48 42 77 63 48 42 77 63 48 42 77 63 48 42 77 80 80 80 10 00',
  ],
  ['ping with the largest tag', '09 01 ff ff ff ff ff ff ff 0f', '09 ff ff ff ff ff ff ff 0f 00'],
  [
    'createTopic "t" with 300 partitions',
    `17 04 01 ${id} ac 02 00 01 74`,
    `16 01 00 ${id} ac 02 01 74`,
  ],
  ['topicCount', '02 07 01', '03 01 00 01'],
  [
    'resolve "t" and "é", which does not exist',
    '08 08 02 02 01 74 02 c3 a9',
    `16 02 00 01 ${id} ac 02 00`,
  ],
  [
    'send "hi" at the time -1 to partition 299',
    `13 0b 03 01 01 c0 ab 02 00 01 09 ${hi}`,
    '03 03 00 00',
  ],
  [
    'send two records at the time 2^52 - 1 and just before it',
    `28 0b 04 01 01 40 ab 02 00 fe ff ff ff ff ff ff 0f 02 16 ${two}`,
    '03 04 00 01',
  ],
  [
    'poll partition 299 from offset 0',
    '0b 0c 05 00 80 08 01 01 01 ab 02 00',
    `3b 05 00 02 01 c0 ab 02 00 00 01 09 ${hi}` +
      ` 01 40 ab 02 01 00 fe ff ff ff ff ff ff 0f 02 00 16 ${two}`,
  ],
  ['messageSize at offset 0', '06 0d 06 01 ab 02 00', '03 06 00 02'],
  ['offsets', '05 0e 07 01 ab 02', '04 07 00 00 03'],
  ['offsetAt 0 ms', '06 0f 08 01 ab 02 00', '03 08 00 02'],
  ['commit 2^53 - 2 for "g"', '10 10 09 01 67 01 01 ab 02 fe ff ff ff ff ff ff 0f', '02 09 00'],
  ['committed for "g"', '07 11 0a 01 67 01 ab 02', '0a 0a 00 ff ff ff ff ff ff ff 0f'],
  ['initProducer', '04 0a 0b 00 00', '04 0b 00 01 00'],
  ['cancel of nothing', '03 12 0c 05', '02 0c 00'],
]

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/[0-9a-f]{2}/g) ?? [], (byte) => Number.parseInt(byte, 16))
}

function hexOf(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

/** The random bytes are the same each time: they make the cluster id. */
const start = () =>
  startNativeBroker({ random: { bytes: (length) => new Uint8Array(length).fill(7) } })

/** Has the conversation; `exchange` sends bytes, and returns as many as the answer is to have. */
async function converse(exchange: (request: Uint8Array, length: number) => Promise<number[]>) {
  for (const [what, request, answer] of conversation) {
    const expected = bytesOf(answer)
    assert.equal(hexOf(await exchange(bytesOf(request), expected.length)), hexOf(expected), what)
  }
}

/** In memory; each request comes in pieces of `size` bytes. */
async function converseInMemory(broker: NativeBroker, size: number) {
  const [near, far] = createTransportPair()
  const received: number[] = []
  let wake = () => {}
  near.attach({
    received: (chunk) => {
      received.push(...chunk)
      wake()
    },
    closed: () => wake(),
  })
  far.attach(broker.accept(far))
  await converse(async (request, length) => {
    for (let start = 0; start < request.length; start += size) {
      near.write([request.slice(start, start + size)])
    }
    while (received.length < length) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    return received.splice(0)
  })
}

test('the conversation gives these bytes, in whole frames', async () => {
  await using broker = await start()
  await converseInMemory(broker, 1000)
})

test('the same in single bytes', async () => {
  await using broker = await start()
  await converseInMemory(broker, 1)
})

test('the same over a socket', async () => {
  await using broker = await start()
  const socket = connect({ port: await broker.listen(), host: '127.0.0.1' })
  try {
    await converse(async (request, length) => {
      socket.write(request)
      const received: number[] = []
      while (received.length < length) {
        const [chunk] = (await once(socket, 'data')) as [Uint8Array]
        received.push(...chunk)
      }
      return received
    })
  } finally {
    socket.destroy()
  }
})

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import process from 'node:process'
import { test } from 'node:test'
import { type Crc32c, crc32c } from '@kaska/protocol'
import fc from 'fast-check'
import { loadCrc32c } from './crc32c.ts'

test('the CRC is the same whether native code counts it or not, in one piece or in several', () => {
  const fast = loadCrc32c()
  const bytes = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7919) >>> 3)
  for (const length of [0, 1, 63, 64, 65, 1000, 5000]) {
    const whole = crc32c(bytes.subarray(0, length), 0)
    assert.equal(fast(bytes.subarray(0, length), 0), whole, `${length} bytes`)
    const middle = length >>> 1
    const before = fast(bytes.subarray(0, middle), 0)
    assert.equal(fast(bytes.subarray(middle, length), before), whole, `${length} bytes in two`)
  }
  assert.equal(fast(new TextEncoder().encode('123456789'), 0), 0xe3069283)
})

test('the fastest module that is there and counts right is taken', () => {
  const asked: string[] = []
  const loading = (answers: Record<string, unknown>) => (name: string) => {
    asked.push(name)
    if (!(name in answers)) throw new Error(`no ${name}`)
    return answers[name]
  }
  const right = { crc32c: (bytes: Uint8Array, previous = 0) => crc32c(bytes, previous) }
  const wrong = { crc32c: () => 7 }
  let calls = 0
  const counted = {
    crc32c: (bytes: Uint8Array, previous = 0) => ++calls && crc32c(bytes, previous),
  }
  const bytes = new Uint8Array(100)
  const first = `#native/crc32c-${process.platform}-${process.arch}.node`
  const second = '@node-rs/crc32'
  for (const answers of [
    { [first]: counted, [second]: wrong },
    { [first]: wrong, [second]: counted },
    { [second]: counted },
  ]) {
    const fast = loadCrc32c(loading(answers))
    const before = calls
    assert.equal(fast(bytes, 0), crc32c(bytes, 0))
    assert.equal(calls, before + 1)
  }
  assert.equal(loadCrc32c(loading({ [first]: {}, [second]: wrong })), crc32c)
  assert.equal(loadCrc32c(loading({})), crc32c)
  asked.length = 0
  loadCrc32c(loading({ [first]: right, [second]: right }))
  assert.deepEqual(asked, [first])
})

const native = new URL('../../native/', import.meta.url)
const addons = readdirSync(native).filter((name) => name.endsWith('.node'))
const addon = `crc32c-${process.platform}-${process.arch}.node`
const skip = addons.includes(addon) ? false : `there is no ${addon}`

test('each addon is built of the source that stands beside it', () => {
  const source = readFileSync(new URL('crc32c.c', native))
  const sum = createHash('sha256').update(source).digest('hex')
  assert.deepEqual(addons, ['crc32c-linux-arm64.node', 'crc32c-linux-x64.node'])
  for (const name of addons) {
    const built = readFileSync(new URL(name, native))
    assert.ok(built.includes(sum), `${name} is of another crc32c.c: 'npm run build:native'`)
  }
})

test('the addon counts right in both of its ways', { skip }, () => {
  const { crc32c: best, crc32cBySums: slower } = loadAddon()
  // Long enough for each of the stretches that are counted side by side, and for what is left over of each.
  const bytes = new Uint8Array(3 * 2048 * 3 + 1000).map(
    (_, index) => (index * 2_654_435_761) >>> 13,
  )
  for (const way of [best, slower]) {
    for (let length = 0; length < 1600; length++) {
      assert.equal(way(bytes.subarray(0, length), 0), crc32c(bytes.subarray(0, length), 0))
    }
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.nat(100), fc.nat(0xffffffff), (end, start, previous) => {
        const part = bytes.subarray(start, end)
        assert.equal(way(part, previous), crc32c(part, previous))
      }),
    )
  }
})

test('the addon refuses what is not bytes and a number', { skip }, () => {
  const { crc32c: sum } = loadAddon()
  const detached = new Uint8Array(1000)
  structuredClone(detached, { transfer: [detached.buffer] })
  assert.equal(sum(detached, 7), 7)
  const unchecked = sum as (...values: unknown[]) => number
  assert.equal(unchecked(new Uint8Array(100)), crc32c(new Uint8Array(100), 0))
  for (const values of [
    [],
    [1],
    ['text', 0],
    [new Uint16Array(5), 0],
    [new Uint8Array(5), 'x'],
    [null],
  ]) {
    assert.throws(() => unchecked(...values), { name: 'TypeError', message: /crc32c takes/ })
  }
})

function loadAddon(): { readonly crc32c: Crc32c; readonly crc32cBySums: Crc32c } {
  return createRequire(import.meta.url)(`#native/${addon}`)
}

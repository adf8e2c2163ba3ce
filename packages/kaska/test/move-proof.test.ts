/** The proof of a move finds what would be wrong. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { temporaryDirectory } from './cli-process.ts'
import { partitionsOfKeys, proveReceived, sentOf } from './move-proof.ts'

const start = { is: 'start', url: '', at: 0 }
const sent = (value: string, partition = 0) => ({ is: 'sent', value, partition, offset: 0, at: 0 })
const received = (value: string, partition = 0) => ({ ...sent(value, partition), is: 'received' })
const committed = (partition = 0) => ({ is: 'committed', partition, offset: 0 })

/** What the proof returns for a consumer's lines, where a/0, a/1, a/2 and b/0 were sent. */
async function prove(lines: readonly object[]): Promise<number> {
  await using files = await temporaryDirectory()
  const record = async (name: string, of: readonly object[]): Promise<string> => {
    const file = `${files.path}/${name}`
    await writeFile(file, of.map((line) => `${JSON.stringify(line)}\n`).join(''))
    return file
  }
  const all = [sent('a/0'), sent('a/1'), sent('b/0', 1), sent('a/2')]
  const producer = await record('producer', [start, ...all])
  return proveReceived(await record('consumer', [start, ...lines]), sentOf([producer]))
}

const whole = [received('a/0'), received('b/0', 1), received('a/1'), received('a/2')]

test('each once, in order; and what a killed consumer had not committed twice', async () => {
  assert.equal(await prove(whole), 0)
  const [first, other, second, third] = whole as [object, object, object, object]
  assert.equal(await prove([first, other, committed(1), start, first, second, third]), 1)
})

test('lost, repeated, out of order, in another partition, never sent', async () => {
  const [first, other, second, third] = whole as [object, object, object, object]
  await assert.rejects(prove([first, other, second]), /acknowledged, and not received/)
  await assert.rejects(prove([...whole, third]), /a\/2 came twice/)
  await assert.rejects(prove([first, committed(), start, ...whole]), /a\/0 came twice/)
  await assert.rejects(prove([first, start, first, committed(), start, ...whole]), /came twice/)
  await assert.rejects(prove([first, other, third, second]), /a\/2 is out of order/)
  await assert.rejects(prove([first, received('b/0', 2), second, third]), /b\/0's partition/)
  await assert.rejects(prove([...whole, received('b/1', 1)]), /partition/)
  const keys = [sent('a/0'), sent('a/1', 1)] as Parameters<typeof partitionsOfKeys>[0]
  assert.throws(() => partitionsOfKeys(keys), /a has two partitions/)
})

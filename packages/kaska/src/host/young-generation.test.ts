import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import process from 'node:process'
import { test } from 'node:test'
import { promisify } from 'node:util'

const module = new URL('./young-generation.ts', import.meta.url)

/** Makes objects, of which some thousands stay, and prints how large the young generation has become, in MiB. */
const program = (before: string) => `
  import v8 from 'node:v8'
  ${before}
  const kept = []
  for (let n = 0; n < 3e6; n++) kept[n % 50_000] = { n, text: String(n), view: new Float64Array(2) }
  const space = v8.getHeapSpaceStatistics().find((one) => one.space_name === 'new_space')
  console.log(space.space_size / 2 ** 20)
`

async function youngMebibytes(before: string): Promise<number> {
  const argv = ['--input-type=module', '-e', program(before)]
  const { stdout } = await promisify(execFile)(process.execPath, argv)
  return Number(stdout)
}

test('what new objects take stays small, which it would not by itself', async () => {
  const small = await youngMebibytes(
    `import { keepYoungGenerationSmall } from '${module}'; keepYoungGenerationSmall()`,
  )
  assert(small <= 16, `${small} MiB`)
  const grown = await youngMebibytes('')
  assert(grown >= 2 * small, `${grown} MiB beside ${small}`)
})

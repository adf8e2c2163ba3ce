/** The commands on the first page of the README, in their order, as they stand there. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { binary, result, ServeProcess, temporaryDirectory } from './cli-process.ts'

const readme = path.resolve(import.meta.dirname, '../../../README.md')

test('the first commands of the README', {
  skip: process.platform === 'win32' && 'they are for a POSIX shell',
}, async () => {
  const text = await readFile(readme, 'utf8')
  const [block = ''] = /^```sh\nnpm ci && npm start[\s\S]*?\n```$/m.exec(text) ?? []
  const commands = block
    .split('\n')
    .map((line) => line.replace(/\s+#.*$/, ''))
    .filter((line) => line.includes('npx kaska'))
  assert.equal(commands.length, 3)

  await using directory = await temporaryDirectory()
  await using broker = await ServeProcess.start(['--data', directory.path])
  const shell = async (command: string) => {
    const line = command.replaceAll('npx kaska', `'${process.execPath}' '${binary}'`)
    return await result(
      spawn('sh', ['-c', line], { env: { ...process.env, KASKA_URL: broker.url } }),
    )
  }
  const outputs: string[] = []
  for (const command of commands) {
    const { code, stdout, stderr } = await shell(command)
    assert.equal(code, 0, `${command}: ${stderr}`)
    outputs.push(stdout)
  }
  assert.deepEqual(outputs, ['', '', 'hello\n'])
})

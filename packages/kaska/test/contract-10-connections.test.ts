/**
 * Contract 10: no fixed limit on clients: 2,000 idle connections, with the memory that each takes
 * printed. (Topics: contract-10-limits.test.ts.)
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { native } from '@kaska/protocol'
import { startBrokerProcess } from './broker-process.ts'
import { dial, type RawClient } from './raw-client.ts'

const connections = 2000
/** The test's own process has them too. */
const filesMin = connections + 200

test('2,000 idle connections take little memory each', {
  skip:
    Number(execFileSync('/bin/sh', ['-c', 'ulimit -n']).toString().replace('unlimited', '1e9')) <
      filesMin && `this process may have less than ${filesMin} files open`,
}, async (context) => {
  await using broker = await startBrokerProcess()
  const clients: RawClient[] = []
  const open = async (count: number) => {
    for (let opened = 0; opened < count; opened += 50) {
      const dialled = await Promise.all(Array.from({ length: 50 }, () => dial(broker.port)))
      await Promise.all(dialled.map((client) => client.call(native.operation.ping)))
      clients.push(...dialled)
    }
  }
  // The first ones also pay for what all of them share.
  await open(200)
  const before = await broker.status()
  await open(connections)
  const after = await broker.status()
  assert.equal(after.counters.connections, connections + 200)
  const each = (key: 'rss' | 'heapUsed') =>
    (after.memory[key] - before.memory[key]) / connections / 1024
  context.diagnostic(`one idle connection: ${each('heapUsed').toFixed(1)} KiB of heap`)
  context.diagnostic(`one idle connection: ${each('rss').toFixed(1)} KiB of the process`)
  assert(each('heapUsed') < 16, 'heap')
  assert(each('rss') < 48, 'process')
  assert.equal(after.budgetUsed, before.budgetUsed)

  // They still work, and their end gives all of it back.
  await Promise.all(clients.map((client) => client.call(native.operation.ping)))
  for (const client of clients) client.destroy()
  await Promise.all(clients.map((client) => client.closed))
  let left = await broker.status()
  while (left.counters.connections > 0) left = await broker.status()
  const remaining = (left.memory.heapUsed - before.memory.heapUsed) / connections / 1024
  assert(remaining < 1, `${remaining} KiB are left of each`)
})

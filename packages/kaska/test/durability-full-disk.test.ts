/**
 * A full disk: senders wait or get a retriable error, reads go on, topics can be deleted, and messages
 * are taken again once there is space; none is lost, none is there twice.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { open, rm } from 'node:fs/promises'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Client, connect } from '@kaska/client'
import { DiskFullError, topicNameOf } from '@kaska/protocol'
import { freePorts } from '../../../compat/lib/broker-process.ts'
import { createBroker } from '../src/broker.ts'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import type { LocalEngine } from '../src/topics/local-engine.ts'
import { batchOf } from './batches.ts'
import { ServeProcess, said, temporaryDirectory } from './cli-process.ts'

const context = { principal: null, clientId: '', address: 'test' }

test('a full disk is a retriable error, and nothing of what was refused is there', async () => {
  await using broker = await createBroker({ disk: new MemoryDisk({ bytesMax: 3_000_000 }) })
  const { engine } = broker
  const create = (name: string) =>
    engine.createTopic({ name: topicNameOf(name), partitions: 1, config: new Map() }, context)
  const { id } = await create('orders')
  const other = await create('other')
  const send = async (topic: string, text: string) => {
    const part = { topic, partition: 0, baseSequence: -1, batch: batchOf([text]) }
    const [result] = await engine.send({ producer: undefined, parts: [part] }, context)
    assert.ok(result !== undefined)
    if (result.error !== undefined) throw result.error
    return result.baseOffset
  }
  await send(other.id, 'x'.repeat(200_000))
  let count = 0
  await assert.rejects(
    async () => {
      for (; count < 1000; count++) await send(id, `${count} ${'x'.repeat(10_000)}`)
    },
    (error: unknown) => {
      assert.ok(error instanceof DiskFullError, String(error))
      assert.equal(error.retriable, true)
      return true
    },
  )
  assert.ok(count > 10)
  assert.deepEqual(await engine.offsets(id, 0, context), { startOffset: 0, endOffset: count })
  const polled = await engine.poll(
    { parts: [{ topic: id, partition: 0, offset: 0 }], waitMs: 0, bytesMax: 1000 },
    context,
  )
  assert.ok(polled.batches.length > 0)
  polled.release()

  await engine.deleteTopic(topicNameOf('other'), context)
  // Its files are gone when the deletion is acknowledged: there is space again.
  assert.equal(await send(id, 'after the deletion'), count)
  assert.equal((await engine.offsets(id, 0, context)).endOffset, count + 1)
})

test('retention makes room on a full disk, and sends go on', async () => {
  const disk = new MemoryDisk({ bytesMax: 3_000_000 })
  await using broker = await createBroker({ disk })
  const engine = broker.engine as LocalEngine
  const request = (name: string, config: Record<string, string>) => ({
    name: topicNameOf(name),
    partitions: 1,
    config: new Map(Object.entries(config)),
  })
  const old = await engine.createTopic(request('old', { 'retention.ms': '60000' }), context)
  const { id } = await engine.createTopic(request('orders', {}), context)
  const send = async (topic: string) => {
    const batch = batchOf(['x'.repeat(10_000)])
    const parts = [{ topic, partition: 0, baseSequence: -1, batch }]
    const [result] = await engine.send({ producer: undefined, parts }, context)
    if (result?.error !== undefined) throw result.error
  }
  // Stamped long ago.
  for (let count = 0; count < 100; count++) await send(old.id)
  await assert.rejects(async () => {
    for (let count = 0; count < 1000; count++) await send(id)
  }, DiskFullError)
  const free = await disk.freeBytes()
  await engine.applyRetention()
  assert.ok((await disk.freeBytes()) > free + 900_000)
  assert.deepEqual(await engine.offsets(old.id, 0, context), { startOffset: 100, endOffset: 100 })
  for (let count = 0; count < 50; count++) await send(id)
})

const megabyte = 1024 * 1024

/** A file system of 12 MiB for a test; undefined where this user may not mount one. */
async function smallFileSystem(t: TestContext): Promise<string | undefined> {
  const directory = await temporaryDirectory()
  const options = ['-t', 'tmpfs', '-o', 'size=12m', 'kaska-test', directory.path]
  const isMounted = spawnSync('mount', options).status === 0
  t.after(async () => {
    if (isMounted) spawnSync('umount', ['-l', directory.path])
    await directory[Symbol.asyncDispose]()
  })
  return isMounted ? directory.path : undefined
}

/** Fills the file system up to its last byte. */
async function fill(file: string): Promise<void> {
  await using ballast = await open(file, 'w')
  for (const size of [megabyte, 4096, 64, 1]) {
    try {
      for (;;) await ballast.write(new Uint8Array(size))
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
    }
  }
}

async function values(client: Client, topic: string): Promise<string[]> {
  const end = await client.endOffset(topic)
  await client.subscribe([topic])
  client.seek(topic, 0)
  const found: string[] = []
  while (found.length < end) {
    const message = await client.poll({ timeoutMs: 60_000 })
    assert.ok(message !== undefined)
    const text = new TextDecoder().decode(message.value ?? new Uint8Array(0))
    found.push(text.slice(0, text.indexOf(' ')))
  }
  client.unsubscribe()
  return found
}

for (const sync of ['always', 'os'] as const) {
  test(`a full file system, sync ${sync}`, async (t) => {
    const mounted = await smallFileSystem(t)
    if (mounted === undefined) {
      t.skip('this user, or this system, cannot mount a small file system')
      return
    }
    const data = path.join(mounted, 'data')
    const ballast = path.join(mounted, 'ballast')
    const [port = 0] = await freePorts(1)
    const serve = ['--data', data, '--sync', sync, '--port', String(port)]
    await using broker = await ServeProcess.start(serve)
    const client = await connect(broker.url)
    await client.createTopic('orders')
    await client.createTopic('other')
    const text = (number: number): string => `${number} ${'x'.repeat(5000)}`
    await client.send('other', 'x'.repeat(megabyte))
    for (let number = 0; number < 100; number++) await client.send('orders', text(number))

    const full = said(
      broker.child,
      'stderr',
      /topics\/.* what is sent is refused until there is space/,
    )
    await fill(ballast)
    const waiting = Array.from({ length: 200 }, (_, index) => {
      return client.send('orders', text(100 + index))
    })
    // Some may find a last page; what the broker has refused waits for space.
    await full
    let hasSettled = false
    const settle = (): void => {
      hasSettled = true
    }
    waiting[199]?.then(settle, settle)
    const reader = await connect(broker.url)
    assert.deepEqual((await values(reader, 'orders')).slice(0, 100), numbers(100))

    // Long enough for an answer, whatever else this machine does.
    const impatient = await connect(broker.url, { deliveryTimeoutMs: 3000 })
    await assert.rejects(impatient.send('orders', text(-1)), (error: unknown) => {
      const cause = error instanceof Error ? error.cause : undefined
      assert.ok(error instanceof DiskFullError || cause instanceof DiskFullError, String(error))
      return true
    })
    await impatient.close()
    assert.equal(hasSettled, false)
    assert.equal(broker.child.exitCode, null, broker.stderr)

    // A broker that is killed now can be started again, and serves what there is.
    await broker.stop('SIGKILL')
    await using second = await ServeProcess.start(serve)
    assert.deepEqual((await values(reader, 'orders')).slice(0, 100), numbers(100))

    // Even now a topic can be deleted, and its space serves what waits.
    await reader.deleteTopic('other')
    await rm(ballast)
    const results = await Promise.all(waiting)
    assert.deepEqual(
      results.map(({ offset }) => offset),
      numbers(200).map((number) => 100 + Number(number)),
    )
    const all = numbers(300)
    assert.deepEqual(await values(reader, 'orders'), all)
    await second.stop('SIGKILL')

    await using again = await ServeProcess.start(serve)
    assert.deepEqual(await values(reader, 'orders'), all)
    assert.equal((await client.send('orders', text(300))).offset, 300)
    assert.deepEqual(
      (await reader.topics()).map(({ name }) => name),
      ['orders'],
    )
    await client.close()
    await reader.close()
    assert.deepEqual(await again.stop(), { code: 0, signal: null })
  })
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, number) => String(number))
}

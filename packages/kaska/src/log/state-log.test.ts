/** State logs: rebuilt after any end, bounded by snapshots, and honest when the disk is full. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type Chunks, DataDirectoryError, DiskFullError, joinChunks } from '@kaska/protocol'
import fc from 'fast-check'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../../sim/simulated-disk.ts'
import { MortalDisk, openDirectory } from '../../test/log-harness.ts'
import type { SyncMode } from './log-config.ts'
import type { State, StateLog } from './state-log.ts'

/** A map kept as a state: `key=value` sets, `key` deletes. */
class TestMap implements State {
  readonly map = new Map<string, string>()

  apply(entry: Chunks): void {
    const [key = '', value] = new TextDecoder().decode(joinChunks(entry)).split('=')
    if (value === undefined) this.map.delete(key)
    else this.map.set(key, value)
  }

  *entries(): Iterable<Chunks> {
    for (const [key, value] of this.map) yield entryOf(`${key}=${value}`)
  }
}

const entryOf = (text: string): Chunks => [new TextEncoder().encode(text)]

async function openMap(disk: SimulatedDisk | MortalDisk, syncMode: SyncMode = 'always') {
  const opened = await openDirectory(disk, { syncMode })
  const state = new TestMap()
  const log = await opened.directory.openState('things', state)
  return { ...opened, state, log }
}

async function put(log: StateLog, ...texts: string[]): Promise<void> {
  await log.append(texts.map(entryOf)).acknowledged
}

test('a state is what it was, after a clean end, a kill and a power failure', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  for (const end of ['close', 'kill', 'crash', 'read'] as const) {
    const process = new MortalDisk(disk)
    const { directory, state, log } = await openMap(process)
    if (end === 'read') {
      assert.deepEqual(
        [...state.map],
        [
          ['b', '2'],
          ['close', '1'],
          ['kill', '1'],
          ['crash', '1'],
        ],
      )
    }
    await put(log, 'a=1', 'b=2')
    await put(log, `${end}=1`, 'a')
    if (end === 'close') await directory.close()
    process.die()
    if (end === 'crash') disk.crash()
    else disk.kill()
  }
})

test('a hundred thousand changes of ten names stay small, and start as fast as none', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  let process = new MortalDisk(disk)
  let opened = await openMap(process, 'os')
  let bytesMost = 0
  for (let count = 0; count < 100_000; count++) {
    const { acknowledged } = opened.log.append([entryOf(`name-${count % 10}=${count}`)])
    if (count % 100 !== 0) continue
    await acknowledged
    await setImmediate()
    bytesMost = Math.max(bytesMost, disk.bytes)
  }
  await opened.log.flush()
  assert.ok(bytesMost < 10_000_000, `${bytesMost}`)
  process.die()
  disk.kill()
  process = new MortalDisk(disk)
  const operations = disk.operations
  opened = await openMap(process, 'os')
  assert.ok(disk.operations - operations < 60, `${disk.operations - operations} operations`)
  assert.deepEqual(
    [...opened.state.map.values()].map(Number).sort((a, b) => a - b),
    Array.from({ length: 10 }, (_, index) => 99_990 + index),
  )
})

test('any interleaving of changes, snapshots, kills and power failures equals a map', async () => {
  const change = fc.record({
    key: fc.integer({ min: 0, max: 20 }),
    size: fc.integer({ min: 0, max: 3000 }),
    waits: fc.boolean(),
  })
  const life = fc.record({
    changes: fc.array(change, { maxLength: 60 }),
    end: fc.constantFrom('close', 'kill', 'crash'),
  })
  const property = fc.asyncProperty(
    fc.integer(),
    fc.constantFrom<SyncMode>('always', 'os'),
    fc.array(life, { minLength: 1, maxLength: 5 }),
    async (seed, mode, lives) => {
      const random = new SeededRandom(seed)
      const disk = new SimulatedDisk(random)
      /** The states after each change, and the last one that must survive. */
      let states = [new Map<string, string>()]
      let durable = 0
      for (const { changes, end } of [...lives, { changes: [], end: 'close' }]) {
        const process = new MortalDisk(disk, {
          writesAtOnce: () => random.chance(0.5),
          pause: async () => {
            if (random.chance(0.3)) await setImmediate()
          },
        })
        const { directory } = await openDirectory(process, { syncMode: mode })
        const state = new TestMap()
        const log = await directory.openState('things', state, { logBytesMin: 5000 })
        const found = states.findLastIndex((one) => isEqual(one, state.map))
        assert.ok(found >= durable, `state ${found} of ${states.length}, ${durable} must survive`)
        states = states.slice(0, found + 1)
        durable = found
        for (const { key, size, waits } of changes) {
          const text = size < 300 ? `${key}` : `${key}=${'v'.repeat(size)}`
          const { acknowledged } = log.append([entryOf(text)])
          const number = states.push(new Map(state.map)) - 1
          const mine = states
          const noted = acknowledged.then(() => {
            if (mine === states) durable = Math.max(durable, number)
          })
          if (waits) await noted
        }
        if (end === 'close') {
          await directory.close()
          durable = states.length - 1
        }
        process.die()
        if (end === 'crash') disk.crash()
        else disk.kill()
        if (end === 'crash' && mode === 'os') durable = 0
      }
    },
  )
  await fc.assert(property, { numRuns: 150, endOnFailure: true })
})

test('a refused change is in neither the log nor a snapshot', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const process = new MortalDisk(disk)
  const { directory } = await openDirectory(process)
  const state = new TestMap()
  const log = await directory.openState('things', state, { logBytesMin: 2000 })
  await put(log, 'a=1')
  disk.bytesMax = disk.bytes + 100
  const { acknowledged } = log.append([entryOf(`b=${'x'.repeat(500)}`)])
  await assert.rejects(acknowledged, DiskFullError)
  state.apply(entryOf('b'))
  disk.bytesMax = Number.POSITIVE_INFINITY
  await setImmediate()
  for (let count = 0; count < 50; count++) await put(log, `c=${count}${'y'.repeat(100)}`)
  process.die()
  disk.kill()
  const { state: again } = await openMap(disk)
  assert.deepEqual([...again.map.keys()], ['a', 'c'])
})

test('a change that is refused while a snapshot is written is not in the snapshot', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const process = new MortalDisk(disk, { pause: () => setImmediate() })
  const { directory, events } = await openDirectory(process)
  const state = new TestMap()
  const log = await directory.openState('things', state, { logBytesMin: 2000 })
  await put(log, `a=${'x'.repeat(1500)}`)
  // This one makes the log long enough for a snapshot, which waits for its sync.
  const due = log.append([entryOf(`b=${'x'.repeat(500)}`)])
  await due.acknowledged
  while (!disk.paths().includes('state/things/snapshot.new')) await setImmediate()
  const refused = log.append([entryOf(`c=${'x'.repeat(90_000)}`)])
  disk.bytesMax = disk.bytes + 10_000
  await assert.rejects(refused.acknowledged, DiskFullError)
  state.apply(entryOf('c'))
  disk.bytesMax = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 200; turn++) await setImmediate()
  assert.ok(events.some(({ kind }) => kind === 'checkpoint-failed'))
  // Nor does it take space where there may be none.
  assert.ok(!disk.paths().includes('state/things/snapshot.new'))
  process.die()
  disk.kill()
  const { state: again } = await openMap(disk)
  assert.deepEqual([...again.map.keys()], ['a', 'b'])
})

test('an urgent change takes the space that was kept for it', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const process = new MortalDisk(disk)
  const { log, state, directory, clock } = await openMap(process)
  await put(log, 'a=1', 'b=1')
  await setImmediate()
  disk.bytesMax = disk.bytes
  await assert.rejects(put(log, 'c=1'), DiskFullError)
  state.apply(entryOf('c'))
  const { acknowledged } = log.append([entryOf('a')], { urgent: true })
  assert.equal(state.map.has('a'), false)
  await acknowledged
  assert.ok(!disk.paths().includes('reserve'))
  // When there is space again, some is kept again.
  disk.bytesMax = disk.bytes + 10_000_000
  clock.fire()
  while (!disk.paths().includes('reserve')) await setImmediate()
  await directory.close()
  process.die()
  disk.kill()
  const { state: again } = await openMap(disk)
  assert.deepEqual([...again.map], [['b', '1']])
})

test('damage is told, never guessed around', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { directory } = await openDirectory(disk)
  const log = await directory.openState('things', new TestMap(), { logBytesMin: 1000 })
  for (let count = 0; count < 50; count++) await put(log, `a=${count}${'z'.repeat(60)}`)
  await directory.close()
  const path = 'state/things/snapshot'
  const sound = disk.contentOf(path)
  for (const damage of [
    (bytes: Uint8Array) => bytes.slice(0, bytes.length - 1),
    (bytes: Uint8Array) => bytes.slice(0, 0),
    (bytes: Uint8Array) => bytes.map((byte, at) => (at === 90 ? byte ^ 1 : byte)),
  ]) {
    disk.damage(path, damage)
    await assert.rejects(openMap(disk), DataDirectoryError)
    disk.kill()
  }
  disk.damage(path, () => sound)
  assert.equal((await openMap(disk)).state.map.size, 1)
})

function isEqual(one: Map<string, string>, other: Map<string, string>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value)
}

/** The table at the head of recovery.ts, case by case, and what a start opens at all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartitionOfflineError } from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../../sim/simulated-disk.ts'
import { batchOf, MortalDisk, openDirectory, readAll, testConfig } from '../../test/log-harness.ts'
import type { LogConfig, LogEvent } from './log-config.ts'
import type { PartitionLog } from './partition-log.ts'

const directory = 'topics/t-0'
const segment = `${directory}/00000000000000000000.log`
const valueBytes = 2000
const values = Array.from({ length: 8 }, (_, index) => `${index} ${'v'.repeat(valueBytes)}`)
const recordBytes = batchOf([values[0] as string]).recordsLength
const batchBytes = 61 + recordBytes

interface Written {
  readonly disk: SimulatedDisk
}

/** A directory whose broker was killed after eight batches; a checkpoint behind the first `below`. */
async function written(options: { below?: number; config?: LogConfig } = {}): Promise<Written> {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const process = new MortalDisk(disk)
  const opened = await openDirectory(process)
  const log = await opened.directory.openPartition('t-0', options.config ?? testConfig)
  for (const [index, value] of values.entries()) {
    if (index === options.below) await log.checkpoint()
    await log.append(batchOf([value])).acknowledged
  }
  process.die()
  disk.kill()
  return { disk }
}

async function reopen(
  disk: SimulatedDisk,
): Promise<{ log: PartitionLog; events: LogEvent[]; close: () => Promise<void> }> {
  const { directory: opened, events } = await openDirectory(disk)
  const log = await opened.openPartition('t-0', testConfig)
  return { log, events, close: () => opened.close() }
}

async function found(log: PartitionLog): Promise<string[]> {
  return (await readAll(log)).map(([, value]) => value)
}

const cutNames = (disk: SimulatedDisk) => disk.paths().filter((path) => path.includes('.cut-'))

test('all that was written is found again, and checked only once', async () => {
  const { disk } = await written()
  const { log, events, close } = await reopen(disk)
  assert.deepEqual(await found(log), values)
  assert.deepEqual(events, [])
  await close()
  const { read } = watch(disk)
  const again = await reopen(disk)
  assert.equal(again.log.endOffset, values.length)
  assert.ok(!read.includes(segment), 'a clean log is not read')
  assert.deepEqual(await found(again.log), values)
})

test('1: a torn tail is cut, moved aside and said; the log goes on there', async () => {
  for (const length of [1, 60, 61, 62, batchBytes - 1]) {
    const { disk } = await written()
    const tail = disk.contentOf(segment).slice(7 * batchBytes, 7 * batchBytes + length)
    disk.damage(segment, (bytes) => bytes.slice(0, 7 * batchBytes + length))
    const { log, events, close } = await reopen(disk)
    assert.equal(log.offline, undefined)
    assert.deepEqual(await found(log), values.slice(0, 7))
    const [event] = events
    assert.equal(event?.kind, 'tail-cut')
    assert.match(
      event.text,
      new RegExp(`${length} bytes off ${segment} at position ${7 * batchBytes}`),
    )
    assert.match(event.text, /offset 7/)
    // One byte of an offset is a zero, and nothing worth keeping.
    if (length > 8) {
      assert.deepEqual(cutNames(disk), [`${directory}/00000000000000000000.cut-1`])
      assert.deepEqual(disk.contentOf(cutNames(disk)[0] as string), tail)
    }
    const appended = log.append(batchOf(['new']))
    assert.equal(appended.baseOffset, 7)
    await appended.acknowledged
    await close()
    const again = await reopen(disk)
    assert.deepEqual(await found(again.log), [...values.slice(0, 7), 'new'])
  }
})

test('1: garbage behind the last batch is a torn tail, and a second one gets a name of its own', async () => {
  const { disk } = await written()
  for (let round = 1; round <= 2; round++) {
    const garbage = new SeededRandom(round).bytes(700)
    disk.damage(segment, (bytes) => new Uint8Array([...bytes, ...garbage]))
    const process = new MortalDisk(disk)
    const { directory: opened } = await openDirectory(process)
    const log = await opened.openPartition('t-0', testConfig)
    assert.deepEqual(await found(log), values)
    const name = `${directory}/00000000000000000000.cut-${round}`
    assert.deepEqual(disk.contentOf(name), garbage)
    process.die()
    disk.kill()
  }
})

test('1: of a whole batch that repeats an older offset nothing is kept', async () => {
  const { disk } = await written()
  disk.damage(segment, (bytes) => new Uint8Array([...bytes, ...bytes.slice(0, batchBytes)]))
  const { log } = await reopen(disk)
  assert.deepEqual(await found(log), values)
})

/** Zeros, or other bytes, in the fourth batch. */
const damages: [string, (bytes: Uint8Array) => void][] = [
  ['a bit of a value', (bytes) => flip(bytes, 3 * batchBytes + 200)],
  ['a bit of the length', (bytes) => flip(bytes, 3 * batchBytes + 10)],
  ['a bit of the offset', (bytes) => flip(bytes, 3 * batchBytes + 7)],
  ['a bit of the magic', (bytes) => flip(bytes, 3 * batchBytes + 16)],
  ['a bit of the CRC', (bytes) => flip(bytes, 3 * batchBytes + 18)],
  ['a bit of the count', (bytes) => flip(bytes, 3 * batchBytes + 60)],
  ['a bit of the leader epoch', (bytes) => flip(bytes, 3 * batchBytes + 12)],
]
const hole: [string, (bytes: Uint8Array) => void] = [
  'two sectors of zeros',
  (bytes) => bytes.fill(0, 3 * batchBytes - ((3 * batchBytes) % 512) + 512, 3 * batchBytes + 1536),
]

for (const [name, damage] of [...damages, hole]) {
  test(`2: damage with sound batches behind it, since the boot: offline (${name})`, async () => {
    const { disk } = await written()
    const before = disk.contentOf(segment)
    disk.damage(segment, (bytes) => {
      damage(bytes)
      return bytes
    })
    const damaged = disk.contentOf(segment)
    assert.notDeepEqual(damaged, before)
    const { log, events } = await reopen(disk)
    assert.match(log.offline ?? '', new RegExp(`position ${3 * batchBytes}, offset 3`))
    assert.match(log.offline ?? '', /kaska log repair/)
    assert.equal(events[0]?.kind, 'offline')
    // What lies before it is served, and nothing is changed.
    assert.deepEqual(await found(log), values.slice(0, 3))
    assert.throws(() => log.append(batchOf(['more'])), PartitionOfflineError)
    assert.throws(() => log.read(3, 100), PartitionOfflineError)
    assert.deepEqual(disk.contentOf(segment), damaged)
    assert.deepEqual(cutNames(disk), [])
  })
}

for (const [name, damage] of damages) {
  test(`3: the same after a boot, without a hole: offline (${name})`, async () => {
    const { disk } = await written()
    disk.crash()
    disk.damage(segment, (bytes) => {
      damage(bytes)
      return bytes
    })
    const { log } = await reopen(disk)
    assert.match(log.offline ?? '', new RegExp(`position ${3 * batchBytes}, offset 3`))
    assert.deepEqual(await found(log), values.slice(0, 3))
  })
}

test('4: a hole that a power failure left is cut with all that lies behind it', async () => {
  const { disk } = await written()
  disk.crash()
  disk.damage(segment, (bytes) => {
    hole[1](bytes)
    return bytes
  })
  const tail = disk.contentOf(segment).slice(3 * batchBytes)
  const { log, events } = await reopen(disk)
  assert.equal(log.offline, undefined)
  assert.equal(events[0]?.kind, 'tail-cut')
  assert.deepEqual(await found(log), values.slice(0, 3))
  assert.deepEqual(disk.contentOf(cutNames(disk)[0] as string), tail)
})

test('4: a segment that lost its end, with a later one: all behind it is moved away', async () => {
  const config = { ...testConfig, segmentBytes: 3 * batchBytes }
  const { disk } = await written({ config })
  disk.crash()
  disk.damage(segment, (bytes) => bytes.slice(0, 2 * batchBytes))
  const { log, events } = await reopen(disk)
  assert.equal(log.offline, undefined)
  assert.deepEqual(await found(log), values.slice(0, 2))
  assert.deepEqual(cutNames(disk), [
    `${directory}/00000000000000000003.cut-1`,
    `${directory}/00000000000000000006.cut-1`,
  ])
  assert.match(events[0]?.text ?? '', /00000000000000000003.cut-1, 00000000000000000006.cut-1/)
})

for (const left of [5, 60, 61, 1000]) {
  test(`4: a segment that lost its end within a batch, with a later one (${left} bytes)`, async () => {
    const config = { ...testConfig, segmentBytes: 3 * batchBytes }
    const { disk } = await written({ config })
    disk.crash()
    disk.damage(segment, (bytes) => bytes.slice(0, 2 * batchBytes + left))
    const { log } = await reopen(disk)
    assert.equal(log.offline, undefined)
    assert.deepEqual(await found(log), values.slice(0, 2))
  })
}

test('3: a wrong length in the last batch of a segment is no lost end', async () => {
  const config = { ...testConfig, segmentBytes: 3 * batchBytes }
  const { disk } = await written({ config })
  disk.crash()
  disk.damage(segment, (bytes) => {
    flip(bytes, 2 * batchBytes + 9)
    return bytes
  })
  const { log } = await reopen(disk)
  assert.match(log.offline ?? '', /offset 2 .*sound batches behind it from offset 3/)
})

test('2: the same since the boot is damage', async () => {
  const config = { ...testConfig, segmentBytes: 3 * batchBytes }
  const { disk } = await written({ config })
  disk.damage(segment, (bytes) => bytes.slice(0, 2 * batchBytes))
  const { log } = await reopen(disk)
  assert.match(log.offline ?? '', /offset 2 is missing/)
  assert.deepEqual(await found(log), values.slice(0, 2))
})

test('5: what was checkpointed and is gone is damage', async () => {
  const cases: [string, (disk: SimulatedDisk) => void | Promise<void>, number][] = [
    ['shorter', (disk) => disk.damage(segment, (bytes) => bytes.slice(0, 4 * batchBytes)), 4],
    ['torn', (disk) => disk.damage(segment, (bytes) => bytes.slice(0, 4 * batchBytes + 9)), 4],
    ['empty', (disk) => disk.damage(segment, () => new Uint8Array(0)), 0],
    ['removed', (disk) => disk.remove(segment), 0],
  ]
  for (const [name, damage, left] of cases) {
    for (const boot of [false, true]) {
      const { disk } = await written({ below: 6 })
      await disk.syncDirectory(directory)
      if (boot) disk.crash()
      await damage(disk)
      const { log } = await reopen(disk)
      assert.match(log.offline ?? '', /below the checkpoint is lost/, name)
      assert.deepEqual(await found(log), values.slice(0, left), name)
    }
  }
})

for (const end of ['kill', 'close', 'torn tail'] as const) {
  test(`batches of a later epoch than kaska.json knows are neither cut nor written behind (${end})`, async () => {
    const disk = new SimulatedDisk(new SeededRandom(1))
    await (await openDirectory(disk)).directory.close()
    const old = disk.contentOf('kaska.json')
    for (let start = 0; start < 3; start++) {
      const process = new MortalDisk(disk)
      const opened = await openDirectory(process)
      const log = await opened.directory.openPartition('t-0', testConfig)
      await log.append(batchOf([`${start}`])).acknowledged
      if (end === 'close') await opened.directory.close()
      process.die()
      disk.kill()
    }
    if (end === 'torn tail') {
      disk.damage(segment, (bytes) => new Uint8Array([...bytes, ...bytes.slice(0, 20)]))
    }
    disk.damage('kaska.json', () => old)
    const { log, close } = await reopen(disk)
    assert.deepEqual(await found(log), end === 'close' ? ['0', '1', '2'] : ['0'])
    assert.match(
      log.offline ?? '',
      /is ([23]), and this start only 1\b.*kaska.json .* leaderEpoch of \1 or more/,
    )
    assert.deepEqual(cutNames(disk), [])
    assert.throws(() => log.append(batchOf(['more'])), PartitionOfflineError)
    await close()

    const json = JSON.parse(new TextDecoder().decode(old)) as object
    const mended = JSON.stringify({ ...json, leaderEpoch: 3 })
    disk.damage('kaska.json', () => new TextEncoder().encode(mended))
    const again = await reopen(disk)
    assert.equal(again.log.offline, undefined)
    await again.log.append(batchOf(['more'])).acknowledged
    assert.deepEqual(await found(again.log), ['0', '1', '2', 'more'])
    await again.close()
  })
}

test('what lies below the checkpoint is not read; damage in it is found by its readers', async () => {
  const { disk } = await written({ below: 6 })
  disk.damage(segment, (bytes) => {
    flip(bytes, 3 * batchBytes + 200)
    return bytes
  })
  const { log, events } = await reopen(disk)
  assert.equal(log.offline, undefined)
  assert.equal(log.endOffset, 8)
  await assert.rejects(found(log), PartitionOfflineError)
  assert.match(log.offline ?? '', /its CRC is wrong/)
  assert.equal(events.length, 1)
  // What is sound on either side is still served.
  assert.equal((await readAll(log, 4)).length, 4)
})

test('a damaged checkpoint is no harm: everything is checked', async () => {
  const { disk } = await written({ below: 6 })
  disk.damage(`${directory}/checkpoint`, (bytes) => {
    flip(bytes, 20)
    return bytes
  })
  const { log } = await reopen(disk)
  assert.equal(log.offline, undefined)
  assert.deepEqual(await found(log), values)
})

test('what was recovered survives the next power failure, even if no sync had covered it', async () => {
  for (let seed = 0; seed < 50; seed++) {
    const disk = new SimulatedDisk(new SeededRandom(seed))
    const process = new MortalDisk(disk)
    const opened = await openDirectory(process, { syncMode: 'os' })
    const log = await opened.directory.openPartition('t-0', testConfig)
    for (const value of values) await log.append(batchOf([value])).acknowledged
    process.die()
    disk.kill()
    const second = new MortalDisk(disk)
    const { directory: always } = await openDirectory(second, { syncMode: 'always' })
    assert.deepEqual(await found(await always.openPartition('t-0', testConfig)), values)
    second.die()
    disk.crash()
    const { log: again } = await reopen(disk)
    assert.deepEqual(await found(again), values)
  }
})

test('a start opens no partition, and an idle one has no timer', async () => {
  const { disk } = await written()
  const { opened } = watch(disk)
  const { directory: data, clock } = await openDirectory(disk)
  assert.deepEqual(
    opened.filter((path) => path.startsWith('topics/')),
    [],
  )
  assert.equal(clock.timers, 0)
  await data.openPartition('t-0', testConfig)
  assert.ok(opened.includes(segment))
  // It was written since its checkpoint: it gets one, and then there is nothing left to do.
  assert.equal(clock.timers, 1)
  clock.fire()
  while (data.shared.checkpoints.size > 0) await new Promise(setImmediate)
  assert.equal(clock.timers, 0)
})

function flip(bytes: Uint8Array, position: number): void {
  bytes[position] = (bytes[position] as number) ^ 0x10
}

/** The disk, and the paths of the files that are opened and read on it from now on. */
function watch(disk: SimulatedDisk): { opened: string[]; read: string[] } {
  const opened: string[] = []
  const read: string[] = []
  const { open } = disk
  disk.open = async (path, options) => {
    opened.push(path)
    const file = await open.call(disk, path, options)
    return {
      ...file,
      read: (position, into) => {
        read.push(path)
        return file.read(position, into)
      },
    }
  }
  return { opened, read }
}

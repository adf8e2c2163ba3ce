/** Idempotence, rule by rule, and what of it survives a restart. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutOfOrderSequenceError, ProducerFencedError, UnknownProducerError } from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../../sim/simulated-disk.ts'
import { batchOf, MortalDisk, openDirectory, readAll, testConfig } from '../../test/log-harness.ts'
import { ProducerState, producerExpiryMs, producersMax } from './producer-state.ts'

const fields = (producerId: number, producerEpoch: number, baseSequence: number, count = 1) => ({
  producerId,
  producerEpoch,
  baseSequence,
  lastOffsetDelta: count - 1,
  maxTimestamp: 5,
})

test('the next sequence is taken, the last five are known, all else is out of order', () => {
  const state = new ProducerState()
  assert.throws(() => state.check(fields(1, 0, 1)), UnknownProducerError)
  let sequence = 0
  for (let batch = 0; batch < 7; batch++) {
    assert.equal(state.check(fields(1, 0, sequence, 3)), undefined)
    state.append(fields(1, 0, sequence, 3), 100 + sequence, 1)
    sequence += 3
  }
  for (let batch = 0; batch < 7; batch++) {
    const again = fields(1, 0, batch * 3, 3)
    if (batch < 2) assert.throws(() => state.check(again), OutOfOrderSequenceError)
    else assert.equal(state.check(again)?.baseOffset, 100 + batch * 3)
  }
  assert.throws(() => state.check(fields(1, 0, sequence + 1)), OutOfOrderSequenceError)
  // The same first sequence with another count is not the same batch.
  assert.throws(() => state.check(fields(1, 0, 18, 2)), OutOfOrderSequenceError)
})

test('an older epoch is fenced, a newer one begins with 0', () => {
  const state = new ProducerState()
  state.append(fields(1, 3, 0), 0, 1)
  assert.throws(() => state.check(fields(1, 2, 1)), ProducerFencedError)
  assert.throws(() => state.check(fields(1, 4, 1)), OutOfOrderSequenceError)
  assert.equal(state.check(fields(1, 4, 0)), undefined)
})

test('sequences go on at 0 after 2^31 - 1', () => {
  const state = new ProducerState()
  state.append(fields(1, 0, 2 ** 31 - 2, 3), 0, 1)
  assert.throws(() => state.check(fields(1, 0, 2)), OutOfOrderSequenceError)
  assert.equal(state.check(fields(1, 0, 1)), undefined)
  assert.equal(state.check(fields(1, 0, 2 ** 31 - 2, 3))?.baseOffset, 0)
})

test('producers are forgotten after a day, and the longest unused beyond a number', () => {
  const state = new ProducerState()
  for (let id = 0; id <= producersMax; id++) state.append(fields(id, 0, 0), id, id)
  assert.equal(state.size, producersMax)
  assert.equal(state.get(0), undefined)
  state.expire(producerExpiryMs + 100)
  assert.equal(state.size, producersMax - 99)
})

test('a repeated batch is answered with its offset, once that is durable', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  let release: (() => void) | undefined
  const slow = new MortalDisk(disk, {
    pause: () => (release === undefined ? Promise.resolve() : new Promise((go) => (release = go))),
  })
  const { directory } = await openDirectory(slow)
  const log = await directory.openPartition('t-0', testConfig)
  await log.append(batchOf(['a'], { producer: [9, 0, 0] })).acknowledged
  release = () => {}
  const first = log.append(batchOf(['b', 'c'], { producer: [9, 0, 1] }))
  const again = log.append(batchOf(['b', 'c'], { producer: [9, 0, 1] }))
  assert.deepEqual([again.baseOffset, again.duplicate], [1, true])
  let isAcknowledged = false
  void again.acknowledged.then(() => {
    isAcknowledged = true
  })
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
  assert.equal(isAcknowledged, false)
  const go = release
  release = undefined
  go()
  await Promise.all([first.acknowledged, again.acknowledged])
  assert.deepEqual(
    (await readAll(log)).map(([, value]) => value),
    ['a', 'b', 'c'],
  )
})

for (const end of ['close', 'kill', 'crash', 'checkpoint and kill'] as const) {
  test(`what was sent again after a restart is in the log once (${end})`, async () => {
    const disk = new SimulatedDisk(new SeededRandom(2))
    const send = (sequence: number) => batchOf([`${sequence}`], { producer: [4, 1, sequence] })
    let process = new MortalDisk(disk)
    let opened = await openDirectory(process)
    let log = await opened.directory.openPartition('t-0', testConfig)
    for (let sequence = 0; sequence < 9; sequence++) {
      if (sequence === 5 && end.startsWith('checkpoint')) await log.checkpoint()
      await log.append(send(sequence)).acknowledged
    }
    if (end === 'close') await opened.directory.close()
    process.die()
    if (end === 'crash') disk.crash()
    else disk.kill()
    process = new MortalDisk(disk)
    opened = await openDirectory(process)
    log = await opened.directory.openPartition('t-0', testConfig)
    for (let sequence = 4; sequence < 9; sequence++) {
      const { baseOffset, duplicate } = log.append(send(sequence))
      assert.deepEqual([baseOffset, duplicate], [sequence, true])
    }
    assert.throws(() => log.append(send(3)), OutOfOrderSequenceError)
    assert.throws(() => log.append(send(10)), OutOfOrderSequenceError)
    await log.append(send(9)).acknowledged
    assert.equal(log.endOffset, 10)
  })
}

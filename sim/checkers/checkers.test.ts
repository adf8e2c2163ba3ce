/** Each rule of each checker can fail. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommitChecker } from './commit-checker.ts'
import { DeletionChecker } from './deletion-checker.ts'
import { MessageChecker, messageBytes, messageIdOf } from './message-checker.ts'
import { PositionChecker } from './position-checker.ts'
import { TopicChecker } from './topic-checker.ts'
import { Violation } from './violation.ts'

const topic = 'orders'
const at = (offset: number, partition = 0) => ({ topic, partition, offset })

function senderOf(checker: MessageChecker) {
  return (number: number, partition?: number, size = 20) => {
    const id = { sender: 'a', number }
    const bytes = messageBytes(id, size)
    checker.sending(id, topic, partition, bytes)
    return { id, bytes }
  }
}

test('a message tells whose it is, and any change of a byte shows', () => {
  const bytes = messageBytes({ sender: 'a', number: 7 }, 100)
  assert.deepEqual(messageIdOf(bytes), { sender: 'a', number: 7 })
  for (let index = 4; index < bytes.length; index++) {
    const changed = bytes.slice()
    changed[index] = (changed[index] as number) ^ 1
    assert.throws(() => messageIdOf(changed), Violation)
  }
  assert.throws(() => messageIdOf(new Uint8Array(0)), Violation)
})

test('a lost acknowledged message shows', () => {
  const checker = new MessageChecker()
  const { id } = senderOf(checker)(0)
  checker.acknowledged(id, at(0))
  assert.throws(() => checker.whole(topic, 0, 0, 0), /acknowledged at orders\/0 offset 0/)
  checker.whole(topic, 0, 1, 1)
})

test('a message that was seen and is gone shows', () => {
  const checker = new MessageChecker()
  const { id, bytes } = senderOf(checker)(0)
  checker.seen(at(0), bytes)
  checker.failed(id, false)
  assert.throws(() => checker.whole(topic, 0, 0, 0), /seen at orders\/0 offset 0/)
})

test('a message that is there twice shows', () => {
  const checker = new MessageChecker()
  const { bytes } = senderOf(checker)(0)
  checker.seen(at(0), bytes)
  assert.throws(() => checker.seen(at(1), bytes), /is at .* offset 0 and at .* offset 1/)
  assert.throws(() => checker.seen(at(0, 1), bytes), Violation)
})

test('a message that is not where its acknowledgement said shows', () => {
  const checker = new MessageChecker()
  const { id, bytes } = senderOf(checker)(0)
  checker.acknowledged(id, at(3))
  assert.throws(() => checker.seen(at(4), bytes), Violation)
})

test('an offset that holds another message than before shows', () => {
  const checker = new MessageChecker()
  const send = senderOf(checker)
  checker.seen(at(0), send(0).bytes)
  const { bytes } = send(1)
  assert.throws(() => checker.seen(at(0), bytes), /a#0 was at .*, where a#1 is/)
})

test('messages of a sender in the wrong order show', () => {
  const checker = new MessageChecker()
  const send = senderOf(checker)
  const first = send(0).bytes
  checker.seen(at(0), send(1).bytes)
  checker.seen(at(1), first)
  assert.throws(() => checker.whole(topic, 0, 0, 2), /a#0 at .* lies behind a#1/)
})

test('a refused message in the log shows, whichever comes first', () => {
  const checker = new MessageChecker()
  const send = senderOf(checker)
  const { id, bytes } = send(0)
  checker.failed(id, true)
  assert.throws(() => checker.seen(at(0), bytes), /was refused/)
  const later = send(1)
  checker.seen(at(1), later.bytes)
  assert.throws(() => checker.failed(later.id, true), /was refused/)
})

test('a message in another topic or partition, or of another size, shows', () => {
  const checker = new MessageChecker()
  const send = senderOf(checker)
  const { id, bytes } = send(0, 1, 40)
  assert.throws(() => checker.acknowledged(id, at(0, 0)), Violation)
  assert.throws(() => checker.seen({ ...at(0), topic: 'other' }, bytes), Violation)
  assert.throws(() => checker.seen(at(0, 1), bytes.subarray(0, 30)), /had 40 bytes, and has 30/)
  assert.throws(() => checker.seen(at(0), messageBytes({ sender: 'b', number: 0 }, 9)), Violation)
})

test('an offset that was not read in the end shows', () => {
  const checker = new MessageChecker()
  checker.seen(at(1), senderOf(checker)(0).bytes)
  assert.throws(() => checker.whole(topic, 0, 0, 2), /nothing was read at orders\/0 offset 0/)
})

function trimmed(config: Record<string, string>, options: { isFirm?: boolean } = {}) {
  const time = { now: 1000 }
  const messages = new MessageChecker(() => time.now)
  const send = senderOf(messages)
  // Sent at 1000, 2000, 3000, of 100 bytes each.
  for (let number = 0; number < 3; number++) {
    messages.acknowledged(send(number, 0, 100).id, at(number))
    time.now += 1000
  }
  const deletions = new DeletionChecker({
    messages,
    topics: [{ name: topic, partitions: 1, config, isTrimmed: true }],
    isFirm: options.isFirm ?? true,
    hasJumps: false,
    now: () => time.now,
  })
  return { deletions, time }
}

test('deletions: too much, and back again', () => {
  const { deletions } = trimmed({})
  deletions.startRead(topic, 0, 0, 0)
  assert.throws(() => deletions.startRead(topic, 0, 1, 0), /begins at 1: nobody deleted/)
  deletions.asking(topic, 0, 2)
  deletions.startRead(topic, 0, 0, 0)
  deletions.startRead(topic, 0, 2, 0)
  const floor = deletions.floorOf(topic, 0)
  assert.throws(() => deletions.startRead(topic, 0, 0, floor), /begins at 0: .* begin at 2/)
  assert.throws(() => deletions.startRead(topic, 0, 3, floor), /begins at 3/)
})

test('deletions: on a full disk only what was acknowledged is firm', () => {
  const { deletions } = trimmed({}, { isFirm: false })
  deletions.asking(topic, 0, 2)
  deletions.startRead(topic, 0, 2, 0)
  deletions.startRead(topic, 0, 0, deletions.floorOf(topic, 0))
  deletions.told(topic, 0, 2)
  assert.throws(
    () => deletions.startRead(topic, 0, 0, deletions.floorOf(topic, 0)),
    /begins at 0: .* begin at 2/,
  )
})

test('deletions: a message inside of the retention must stay', () => {
  const { deletions, time } = trimmed({ 'retention.ms': '2500' })
  assert.equal(time.now, 4000)
  deletions.startRead(topic, 0, 1, 0)
  assert.throws(() => deletions.startRead(topic, 0, 2, 0), /offset 1 is to be kept/)
  time.now = 4501
  deletions.startRead(topic, 0, 2, 1)
  const { deletions: bySize } = trimmed({ 'retention.bytes': '600' })
  bySize.startRead(topic, 0, 1, 0)
  assert.throws(() => bySize.startRead(topic, 0, 2, 0), /is to be kept/)
})

test('commits: lost, gone back, never made', () => {
  const checker = new CommitChecker()
  checker.committing('g', 5)
  checker.read('g', undefined, checker.floorOf('g'))
  checker.acknowledged('g', 5)
  const floor = checker.floorOf('g')
  assert.throws(() => checker.read('g', undefined, floor), /5 was committed, and nothing is read/)
  assert.throws(() => checker.read('g', 7, floor), /never committed/)
  checker.committing('g', 7)
  checker.read('g', 7, floor)
  assert.throws(() => checker.read('g', 5, checker.floorOf('g')), /7 was committed, and 5 is read/)
})

test('positions: skipped, repeated, not where the library says', () => {
  const checker = new PositionChecker('c')
  assert.throws(() => checker.handedOut(topic, 0, 0, 1), Violation)
  checker.moved(topic, 0, 3)
  checker.handedOut(topic, 0, 3, 4)
  assert.throws(() => checker.handedOut(topic, 0, 3, 4), /at 4, and 3 was handed out/)
  assert.throws(() => checker.handedOut(topic, 0, 5, 6), /at 4, and 5 was handed out/)
  assert.throws(() => checker.handedOut(topic, 0, 4, 6), Violation)
  assert.throws(() => checker.stands(topic, 0, 9), Violation)
})

test('topics: lost, back, another one, listed twice', () => {
  const checker = new TopicChecker()
  checker.changing('t')
  checker.listed([])
  checker.listed([{ name: 't', id: '1' }])
  checker.created('t', '1')
  assert.throws(() => checker.listed([]), /was created, and is gone/)
  assert.throws(() => checker.listed([{ name: 't', id: '2' }]), /was 1, and is 2/)
  assert.throws(
    () =>
      checker.listed([
        { name: 't', id: '1' },
        { name: 't', id: '1' },
      ]),
    /listed twice/,
  )
  checker.deleted('t')
  assert.throws(() => checker.listed([{ name: 't', id: '1' }]), /was deleted, and is back/)
  assert.throws(() => checker.created('t', '1'), /given twice/)
})

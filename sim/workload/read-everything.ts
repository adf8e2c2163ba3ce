/** Reads all partitions of some topics from their starts to their ends, and has them judged. */
import { type Client, OffsetOutOfRangeError } from '@kaska/client'
import type { DeletionChecker } from '../checkers/deletion-checker.ts'
import type { MessageChecker } from '../checkers/message-checker.ts'
import { Violation } from '../checkers/violation.ts'
import type { PlannedTopic } from '../plan.ts'

const attemptsMax = 20

/** The client must not be subscribed, and is not afterwards. */
export async function readEverything(
  client: Client,
  topics: readonly PlannedTopic[],
  checker: MessageChecker,
  deletions: DeletionChecker,
): Promise<void> {
  for (const topic of topics) {
    for (let attempt = 1; ; attempt++) {
      try {
        await readTopic(client, topic, checker, deletions)
        break
      } catch (error) {
        // What was to be read became too old meanwhile.
        const isDeleted = error instanceof OffsetOutOfRangeError && deletions.isTrimmed(topic.name)
        if (!isDeleted || attempt === attemptsMax) throw error
        client.unsubscribe()
      }
    }
  }
}

async function readTopic(
  client: Client,
  { name, partitions }: PlannedTopic,
  checker: MessageChecker,
  deletions: DeletionChecker,
): Promise<void> {
  await client.subscribe([name])
  const starts: number[] = []
  const ends: number[] = []
  let left = 0
  for (let partition = 0; partition < partitions; partition++) {
    const floor = deletions.floorOf(name, partition)
    const startOffset = await client.startOffset(name, partition)
    deletions.startRead(name, partition, startOffset, floor)
    const endOffset = await client.endOffset(name, partition)
    client.seek(name, startOffset, partition)
    starts.push(startOffset)
    ends.push(endOffset)
    left += endOffset - startOffset
  }
  const nexts = [...starts]
  for (; left > 0; left--) {
    const message = await client.poll({ timeoutMs: 5000 })
    if (message === undefined) {
      throw new Violation(`${name}: ${left} messages are missing; ${nexts} of ${ends} were read`)
    }
    const { offset, partition, value } = message
    const next = nexts[partition] ?? 0
    if (offset !== next) throw new Violation(`${name}/${partition}: ${offset} follows ${next - 1}`)
    checker.seen({ topic: name, partition, offset }, value ?? new Uint8Array(0))
    nexts[partition] = next + 1
  }
  client.unsubscribe()
  for (const [partition, endOffset] of ends.entries()) {
    checker.whole(name, partition, starts[partition] ?? 0, endOffset)
  }
}

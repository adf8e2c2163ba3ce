/** Reads all partitions of some topics from their starts to their ends, and has them judged. */
import type { Client } from '@kaska/client'
import type { MessageChecker } from '../checkers/message-checker.ts'
import { Violation } from '../checkers/violation.ts'
import type { PlannedTopic } from '../plan.ts'

/** The client must not be subscribed, and is not afterwards. */
export async function readEverything(
  client: Client,
  topics: readonly PlannedTopic[],
  checker: MessageChecker,
): Promise<void> {
  for (const { name, partitions } of topics) {
    await client.subscribe([name])
    const ends: number[] = []
    let left = 0
    for (let partition = 0; partition < partitions; partition++) {
      const startOffset = await client.startOffset(name, partition)
      if (startOffset !== 0) throw new Violation(`${name}/${partition} begins at ${startOffset}`)
      const endOffset = await client.endOffset(name, partition)
      client.seek(name, 0, partition)
      ends.push(endOffset)
      left += endOffset
    }
    const nexts = ends.map(() => 0)
    for (; left > 0; left--) {
      const message = await client.poll({ timeoutMs: 5000 })
      if (message === undefined) {
        throw new Violation(`${name}: ${left} messages are missing; ${nexts} of ${ends} were read`)
      }
      const { offset, partition, value } = message
      const next = nexts[partition] ?? 0
      if (offset !== next)
        throw new Violation(`${name}/${partition}: ${offset} follows ${next - 1}`)
      checker.seen({ topic: name, partition, offset }, value ?? new Uint8Array(0))
      nexts[partition] = next + 1
    }
    client.unsubscribe()
    for (const [partition, endOffset] of ends.entries())
      checker.whole(name, partition, 0, endOffset)
  }
}

/** A topic that is given more partitions while native clients and Kafka's use it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '@kaska/client'
import { partitionOfKey } from '@kaska/protocol'
import { startBroker } from '../src/testing.ts'
import { context } from './batches.ts'

const encode = (text: string) => new TextEncoder().encode(text)

for (const way of ['over the network', 'in the process'] as const) {
  test(`${way}: sends, ends and new subscriptions use the new partitions`, async () => {
    await using test = await startBroker()
    const { broker, url } = test
    await using client = await connect(way === 'in the process' ? broker : url)
    await client.createTopic('a', { partitions: 1 })
    const keys = Array.from({ length: 20 }, (_, index) => encode(`key-${index}`))
    const placesOf = async (partitions: number) => {
      const sent = await Promise.all(keys.map((key) => client.send('a', { value: 'v', key })))
      assert.ok(sent.every(({ partition }) => partition < partitions))
      return sent.map(({ partition }) => partition)
    }
    assert.deepEqual(new Set(await placesOf(1)), new Set([0]))
    await (broker.engine as unknown as Growing).growTopic('a', 4, context)

    // A partition that it does not know makes the producer look; keys are spread over all from then on.
    assert.equal((await client.send('a', { value: 'v', partition: 3 })).partition, 3)
    assert.deepEqual(
      await placesOf(4),
      keys.map((key) => partitionOfKey(key, 4)),
    )
    await assert.rejects(client.send('a', { value: 'v', partition: 4 }), {
      code: 'UNKNOWN_PARTITION',
    })
    const last = keys.filter((key) => partitionOfKey(key, 4) === 3)
    assert.equal(await client.endOffset('a', 3), 1 + last.length)
    assert.equal((await client.describeTopic('a')).partitions, 4)

    assert.equal(await client.subscribe(['a']), 1)
    await client.send('a', { value: 'last', partition: 3 })
    const message = await client.poll({ timeoutMs: 5000 })
    assert.equal(message?.partition, 3)
  })
}

interface Growing {
  growTopic(name: string, partitions: number, context: object): Promise<unknown>
}

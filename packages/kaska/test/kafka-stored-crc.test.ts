/** The CRC of what a Kafka client sends is computed once, and taken over where the header stays as it was. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  batchCrc,
  batchHeaderBytes,
  checkRecords,
  decodeBatchHeader,
  joinChunks,
  topicNameOf,
} from '@kaska/protocol'
import { loadCrc32c } from '../src/host/crc32c.ts'
import { batchOf, context } from './batches.ts'
import { dialKafka, encodeBatch } from './kafka-client.ts'
import { startNativeBroker } from './native-broker.ts'

const [produce, fetch] = [0, 1]

test('what is stored has the CRC of its own header, whatever the sender said of its timestamps', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  await broker.engine.createTopic(
    { name: topicNameOf('x'), partitions: 1, config: new Map() },
    context,
  )
  const batch = batchOf(['a', 'b'])
  const largest = checkRecords(batch).maxTimestamp
  for (const maxTimestamp of [largest, largest + 7, -1]) {
    const sent = encodeBatch({ ...batch, maxTimestamp })
    const sentHeader = decodeBatchHeader(sent[0] as Uint8Array)
    const partitionData = [{ index: 0, records: sent }]
    const topicData = [{ name: 'x', partitionData }]
    const request = { transactionalId: null, acks: -1, timeoutMs: 1000, topicData }
    const { responses } = await client.ask(produce, 9, request)
    const { errorCode, baseOffset } = responses[0].partitionResponses[0]
    assert.equal(errorCode, 0)
    const partitions = [{ partition: 0, fetchOffset: baseOffset, partitionMaxBytes: 1 << 20 }]
    const topics = [{ topic: 'x', partitions }]
    const fetched = await client.ask(fetch, 11, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 1 << 20,
      topics,
    })
    const bytes = joinChunks(fetched.responses[0].partitions[0].records)
    const header = decodeBatchHeader(bytes)
    assert.equal(header.maxTimestamp, largest)
    assert.equal(header.crc === sentHeader.crc, maxTimestamp === largest)
    const rest = [bytes.subarray(batchHeaderBytes)]
    assert.equal(header.crc, batchCrc(bytes.subarray(0, batchHeaderBytes), rest, loadCrc32c()))
  }
})

/**
 * InitProducerId (key 22): versions 0 to 5. 2: flexible. 3: a producer tells who it was, to go on with
 * the next epoch (KIP-360). 4: may be answered PRODUCER_FENCED. 5: transactions by KIP-890.
 * Version 6 (KIP-939) is not stable in Apache Kafka 4.3.
 */
import { type Decoded, int16, int32, int64, message, string } from './schema.ts'

export const initProducerIdRequest = message({
  name: 'InitProducerIdRequest',
  key: 22,
  versions: '0-5',
  flexible: '2+',
  fields: {
    transactionalId: string({ nullable: '0+' }),
    transactionTimeoutMs: int32(),
    producerId: int64({ versions: '3+', default: -1 }),
    producerEpoch: int16({ versions: '3+', default: -1 }),
  },
})
export type InitProducerIdRequest = Decoded<typeof initProducerIdRequest>

export const initProducerIdResponse = message({
  name: 'InitProducerIdResponse',
  key: 22,
  versions: '0-5',
  flexible: '2+',
  fields: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    producerId: int64({ default: -1 }),
    producerEpoch: int16(),
  },
})
export type InitProducerIdResponse = Decoded<typeof initProducerIdResponse>

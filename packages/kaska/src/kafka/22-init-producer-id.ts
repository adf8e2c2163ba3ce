/**
 * InitProducerId (key 22), versions 0 to 5: ids for idempotent producers, a new one for each request, as
 * Kafka does where there is no transactional id. Those are not served, and refused with a code that no
 * client takes for something that passes.
 */
import { kafka } from '@kaska/protocol'
import { handler } from './handler.ts'
import { codeOf } from './kafka-error.ts'

const { errorCode } = kafka

export const initProducerId = handler({
  key: 22,
  versions: '0-5',
  request: kafka.initProducerIdRequest,
  response: kafka.initProducerIdResponse,
  handle: async ({ broker, request: asker }, request) => {
    const { transactionalId, producerId, producerEpoch } = request
    const refused = { producerId: -1, producerEpoch: -1 }
    if (transactionalId !== null) {
      return { ...refused, errorCode: errorCode.UNSUPPORTED_VERSION }
    }
    if (producerId >= 0 !== producerEpoch >= 0) {
      return { ...refused, errorCode: errorCode.INVALID_REQUEST }
    }
    try {
      // Without a transactional id Kafka too gives a new id, whatever the producer was before.
      return await broker.store.initProducer(asker)
    } catch (error) {
      return { ...refused, errorCode: codeOf(error) }
    }
  },
})

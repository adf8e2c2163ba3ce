/**
 * DeleteTopics (key 20): versions 0 to 6; Apache Kafka 4 begins at 1. 4: flexible. 5: error texts.
 * 6: topics by name or id, in `topics` and no longer in `topicNames`.
 */
import { array, type Decoded, int16, int32, list, message, string, uuid } from './schema.ts'

export const deleteTopicsRequest = message({
  name: 'DeleteTopicsRequest',
  key: 20,
  versions: '0-6',
  flexible: '4+',
  fields: {
    topics: array(
      'DeleteTopicState',
      {
        name: string({ nullable: '6+', default: null }),
        topicId: uuid(),
      },
      { versions: '6+' },
    ),
    topicNames: list(string(), { versions: '0-5' }),
    timeoutMs: int32(),
  },
})
export type DeleteTopicsRequest = Decoded<typeof deleteTopicsRequest>

export const deleteTopicsResponse = message({
  name: 'DeleteTopicsResponse',
  key: 20,
  versions: '0-6',
  flexible: '4+',
  fields: {
    throttleTimeMs: int32({ versions: '1+' }),
    responses: array('DeletableTopicResult', {
      name: string({ nullable: '6+' }),
      topicId: uuid({ versions: '6+' }),
      errorCode: int16(),
      errorMessage: string({ versions: '5+', nullable: '5+', default: null }),
    }),
  },
})
export type DeleteTopicsResponse = Decoded<typeof deleteTopicsResponse>

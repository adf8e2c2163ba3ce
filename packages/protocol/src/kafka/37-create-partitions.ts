/** CreatePartitions (key 37): versions 0 to 3. 2: flexible. 3: may be throttled by quota. */
import { array, bool, type Decoded, int16, int32, list, message, string } from './schema.ts'

export const createPartitionsRequest = message({
  name: 'CreatePartitionsRequest',
  key: 37,
  versions: '0-3',
  flexible: '2+',
  fields: {
    topics: array('CreatePartitionsTopic', {
      name: string(),
      count: int32(),
      assignments: array(
        'CreatePartitionsAssignment',
        {
          brokerIds: list(int32()),
        },
        { nullable: '0+' },
      ),
    }),
    timeoutMs: int32(),
    validateOnly: bool(),
  },
})
export type CreatePartitionsRequest = Decoded<typeof createPartitionsRequest>

export const createPartitionsResponse = message({
  name: 'CreatePartitionsResponse',
  key: 37,
  versions: '0-3',
  flexible: '2+',
  fields: {
    throttleTimeMs: int32(),
    results: array('CreatePartitionsTopicResult', {
      name: string(),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
    }),
  },
})
export type CreatePartitionsResponse = Decoded<typeof createPartitionsResponse>

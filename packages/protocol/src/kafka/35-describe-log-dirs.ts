/**
 * DescribeLogDirs (key 35): versions 1 to 5. 2: flexible. 3: an error for all. 4: sizes of the volumes
 * (KIP-827). 5: directories that get no new partitions (KIP-1066).
 */
import { array, bool, type Decoded, int16, int32, int64, list, message, string } from './schema.ts'

export const describeLogDirsRequest = message({
  name: 'DescribeLogDirsRequest',
  key: 35,
  versions: '1-5',
  flexible: '2+',
  fields: {
    topics: array(
      'DescribableLogDirTopic',
      {
        topic: string(),
        partitions: list(int32()),
      },
      { nullable: '0+' },
    ),
  },
})
export type DescribeLogDirsRequest = Decoded<typeof describeLogDirsRequest>

export const describeLogDirsResponse = message({
  name: 'DescribeLogDirsResponse',
  key: 35,
  versions: '1-5',
  flexible: '2+',
  fields: {
    throttleTimeMs: int32(),
    errorCode: int16({ versions: '3+' }),
    results: array('DescribeLogDirsResult', {
      errorCode: int16(),
      logDir: string(),
      topics: array('DescribeLogDirsTopic', {
        name: string(),
        partitions: array('DescribeLogDirsPartition', {
          partitionIndex: int32(),
          partitionSize: int64(),
          offsetLag: int64(),
          isFutureKey: bool(),
        }),
      }),
      totalBytes: int64({ versions: '4+', default: -1 }),
      usableBytes: int64({ versions: '4+', default: -1 }),
      isCordoned: bool({ versions: '5+' }),
    }),
  },
})
export type DescribeLogDirsResponse = Decoded<typeof describeLogDirsResponse>

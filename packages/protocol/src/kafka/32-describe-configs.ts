/**
 * DescribeConfigs (key 32): versions 0 to 4; Apache Kafka 4 begins at 1. 1: the source and the synonyms
 * of a value, in the place of "is it the default?". 3: types and documentation (KIP-569). 4: flexible.
 */
import { array, bool, type Decoded, int8, int16, int32, list, message, string } from './schema.ts'

export const describeConfigsRequest = message({
  name: 'DescribeConfigsRequest',
  key: 32,
  versions: '0-4',
  flexible: '4+',
  fields: {
    resources: array('DescribeConfigsResource', {
      resourceType: int8(),
      resourceName: string(),
      configurationKeys: list(string(), { nullable: '0+' }),
    }),
    includeSynonyms: bool({ versions: '1+' }),
    includeDocumentation: bool({ versions: '3+' }),
  },
})
export type DescribeConfigsRequest = Decoded<typeof describeConfigsRequest>

export const describeConfigsResponse = message({
  name: 'DescribeConfigsResponse',
  key: 32,
  versions: '0-4',
  flexible: '4+',
  fields: {
    throttleTimeMs: int32(),
    results: array('DescribeConfigsResult', {
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      resourceType: int8(),
      resourceName: string(),
      configs: array('DescribeConfigsResourceResult', {
        name: string(),
        value: string({ nullable: '0+' }),
        readOnly: bool(),
        isDefault: bool({ versions: '0' }),
        configSource: int8({ versions: '1+', default: -1 }),
        isSensitive: bool(),
        synonyms: array(
          'DescribeConfigsSynonym',
          {
            name: string(),
            value: string({ nullable: '0+' }),
            source: int8(),
          },
          { versions: '1+' },
        ),
        configType: int8({ versions: '3+' }),
        documentation: string({ versions: '3+', nullable: '0+' }),
      }),
    }),
  },
})
export type DescribeConfigsResponse = Decoded<typeof describeConfigsResponse>

/**
 * IncrementalAlterConfigs (key 44): versions 0 and 1. Sets, deletes, appends to or subtracts from
 * single values (KIP-339). 1: flexible.
 */
import { array, bool, type Decoded, int8, int16, int32, message, string } from './schema.ts'

export const incrementalAlterConfigsRequest = message({
  name: 'IncrementalAlterConfigsRequest',
  key: 44,
  versions: '0-1',
  flexible: '1+',
  fields: {
    resources: array('AlterConfigsResource', {
      resourceType: int8(),
      resourceName: string(),
      configs: array('AlterableConfig', {
        name: string(),
        configOperation: int8(),
        value: string({ nullable: '0+' }),
      }),
    }),
    validateOnly: bool(),
  },
})
export type IncrementalAlterConfigsRequest = Decoded<typeof incrementalAlterConfigsRequest>

export const incrementalAlterConfigsResponse = message({
  name: 'IncrementalAlterConfigsResponse',
  key: 44,
  versions: '0-1',
  flexible: '1+',
  fields: {
    throttleTimeMs: int32(),
    responses: array('AlterConfigsResourceResponse', {
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      resourceType: int8(),
      resourceName: string(),
    }),
  },
})
export type IncrementalAlterConfigsResponse = Decoded<typeof incrementalAlterConfigsResponse>

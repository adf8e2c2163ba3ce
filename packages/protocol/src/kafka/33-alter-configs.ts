/** AlterConfigs (key 33): versions 0 to 2. Sets a whole configuration. 2: flexible. */
import { array, bool, type Decoded, int8, int16, int32, message, string } from './schema.ts'

export const alterConfigsRequest = message({
  name: 'AlterConfigsRequest',
  key: 33,
  versions: '0-2',
  flexible: '2+',
  fields: {
    resources: array('AlterConfigsResource', {
      resourceType: int8(),
      resourceName: string(),
      configs: array('AlterableConfig', {
        name: string(),
        value: string({ nullable: '0+' }),
      }),
    }),
    validateOnly: bool(),
  },
})
export type AlterConfigsRequest = Decoded<typeof alterConfigsRequest>

export const alterConfigsResponse = message({
  name: 'AlterConfigsResponse',
  key: 33,
  versions: '0-2',
  flexible: '2+',
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
export type AlterConfigsResponse = Decoded<typeof alterConfigsResponse>

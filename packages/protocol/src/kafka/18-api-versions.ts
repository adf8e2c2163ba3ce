/**
 * ApiVersions (key 18): versions 0 to 4. 3: flexible, though not in the response's header; names the
 * client's software; features (KIP-584). 4: a feature's lowest version may be 0. A version that is not
 * known is answered in the layout of version 0 with UNSUPPORTED_VERSION and the row of this key
 * (KIP-511).
 */
import { array, bool, type Decoded, int16, int32, int64, message, string } from './schema.ts'

export const apiVersionsRequest = message({
  name: 'ApiVersionsRequest',
  key: 18,
  versions: '0-4',
  flexible: '3+',
  fields: {
    clientSoftwareName: string({ versions: '3+' }),
    clientSoftwareVersion: string({ versions: '3+' }),
  },
})
export type ApiVersionsRequest = Decoded<typeof apiVersionsRequest>

export const apiVersionsResponse = message({
  name: 'ApiVersionsResponse',
  key: 18,
  versions: '0-4',
  flexible: '3+',
  fields: {
    errorCode: int16(),
    apiKeys: array('ApiVersion', {
      apiKey: int16(),
      minVersion: int16(),
      maxVersion: int16(),
    }),
    throttleTimeMs: int32({ versions: '1+' }),
    supportedFeatures: array(
      'SupportedFeatureKey',
      {
        name: string(),
        minVersion: int16(),
        maxVersion: int16(),
      },
      { versions: '3+', tag: 0, tagged: '3+' },
    ),
    finalizedFeaturesEpoch: int64({ versions: '3+', tag: 1, tagged: '3+', default: -1 }),
    finalizedFeatures: array(
      'FinalizedFeatureKey',
      {
        name: string(),
        maxVersionLevel: int16(),
        minVersionLevel: int16(),
      },
      { versions: '3+', tag: 2, tagged: '3+' },
    ),
    zkMigrationReady: bool({ versions: '3+', tag: 3, tagged: '3+' }),
  },
})
export type ApiVersionsResponse = Decoded<typeof apiVersionsResponse>

/**
 * ApiVersions (key 18), versions 0 to 4: what is served, from the handlers themselves. Produce is listed
 * from version 0 on, as Apache Kafka 4 does: older librdkafka looks there for what it may do. No feature
 * is finalized, so clients use transactions and groups by the versions that are listed alone.
 */
import { kafka } from '@kaska/protocol'
import { handler, type KafkaBroker } from './handler.ts'

export const apiVersionsKey = 18
const produceKey = 0

const softwareName = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export const apiVersions = handler({
  key: apiVersionsKey,
  versions: '0-4',
  request: kafka.apiVersionsRequest,
  response: kafka.apiVersionsResponse,
  handle: (context, { clientSoftwareName, clientSoftwareVersion }, version) => {
    const isNamed =
      softwareName.test(clientSoftwareName) && softwareName.test(clientSoftwareVersion)
    if (version >= 3 && !isNamed) return { errorCode: kafka.errorCode.INVALID_REQUEST, apiKeys: [] }
    if (version >= 3) context.softwareIs(`${clientSoftwareName} ${clientSoftwareVersion}`)
    return {
      apiKeys: Array.from(context.broker.handlers.values(), ({ key, versions }) => ({
        apiKey: key,
        minVersion: key === produceKey ? 0 : versions.min,
        maxVersion: versions.max,
      })),
    }
  },
})

/** The answer, in the layout of version 0, to a version that is not served (KIP-511). */
export function refuseApiVersions({ handlers }: KafkaBroker): kafka.ApiVersionsResponse {
  const { min, max } = handlers.get(apiVersionsKey)?.versions ?? { min: 0, max: 0 }
  return {
    errorCode: kafka.errorCode.UNSUPPORTED_VERSION,
    apiKeys: [{ apiKey: apiVersionsKey, minVersion: min, maxVersion: max }],
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: -1,
    finalizedFeatures: [],
    zkMigrationReady: false,
  }
}

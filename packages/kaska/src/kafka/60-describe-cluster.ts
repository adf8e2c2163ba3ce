/**
 * DescribeCluster (key 60), versions 0 to 2: this broker, which is the cluster and its controller. The
 * controllers' own addresses are not served: clients come to the broker.
 */
import { kafka } from '@kaska/protocol'
import { handler } from './handler.ts'

const { errorCode } = kafka
const brokersType = 1

export const describeCluster = handler({
  key: 60,
  versions: '0-2',
  request: kafka.describeClusterRequest,
  response: kafka.describeClusterResponse,
  handle: ({ broker, endpoint }, { endpointType }) => {
    const { clusterId, nodeId } = broker.identity
    if (endpointType !== brokersType) {
      return {
        errorCode: errorCode.MISMATCHED_ENDPOINT_TYPE,
        errorMessage: 'this address is that of a broker, not of a controller',
        endpointType,
        clusterId,
        brokers: [],
      }
    }
    const brokers = [{ brokerId: nodeId, ...endpoint, rack: null, isFenced: false }]
    return { clusterId, controllerId: nodeId, brokers }
  },
})

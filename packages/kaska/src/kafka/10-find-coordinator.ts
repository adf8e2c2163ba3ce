/**
 * FindCoordinator (key 10), versions 0 to 6: this broker coordinates all groups and, as far as there is
 * anything to coordinate, all transactions. Share groups are refused, as Kafka does where they are not
 * enabled; so is any other type of key.
 */
import { kafka } from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import { handler, type KafkaContext } from './handler.ts'

const { errorCode } = kafka

const groupType = 0
const transactionType = 1
const batchedVersionMin = 4

export const findCoordinator = handler({
  key: 10,
  versions: '0-6',
  request: kafka.findCoordinatorRequest,
  response: kafka.findCoordinatorResponse,
  handle: async (context, { keyType, coordinatorKeys }, version) => {
    const isBatched = version >= batchedVersionMin
    const coordinator = coordinatorOf(context, keyType, isBatched)
    if (!isBatched) return coordinator
    const slices = new Slices(context.broker.clock)
    const coordinators: kafka.FindCoordinatorResponse['coordinators'] = []
    for (const key of coordinatorKeys) {
      if (slices.isDue) await slices.pause()
      coordinators.push({ key, ...coordinator })
    }
    return { coordinators }
  },
})

function coordinatorOf({ broker, endpoint }: KafkaContext, keyType: number, isBatched: boolean) {
  if (keyType === groupType || keyType === transactionType) {
    const errorMessage = isBatched ? '' : 'NONE'
    return { errorCode: errorCode.NONE, errorMessage, nodeId: broker.identity.nodeId, ...endpoint }
  }
  const errorMessage = `there is no coordinator for keys of type ${keyType}`
  return { errorCode: errorCode.INVALID_REQUEST, errorMessage, nodeId: -1, host: '', port: -1 }
}

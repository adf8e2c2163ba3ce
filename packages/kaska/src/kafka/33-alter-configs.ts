/**
 * AlterConfigs (key 33), versions 0 to 2: replaces all settings of a topic; what is not named goes back
 * to its default.
 */
import { kafka } from '@kaska/protocol'
import { changeConfigs, valueToSet } from './config-changes.ts'
import { handler } from './handler.ts'

export const alterConfigs = handler({
  key: 33,
  versions: '0-2',
  request: kafka.alterConfigsRequest,
  response: kafka.alterConfigsResponse,
  handle: async (context, request) => ({
    responses: await changeConfigs(
      context,
      request,
      ({ configs }) => new Map(configs.map(({ name, value }) => [name, valueToSet(name, value)])),
    ),
  }),
})

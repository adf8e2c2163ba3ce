/** `identify`: the client says who it is, the broker what it is. May be repeated. */
import { InvalidArgumentError, native } from '@kaska/protocol'
import type { Handler } from './request.ts'

/** It is kept for as long as the connection lasts. */
const clientIdLengthMax = 1024

export const identify: Handler = (request, reader) => {
  const clientId = native.readIdentify(reader)
  if (clientId.length > clientIdLengthMax) {
    throw new InvalidArgumentError(`a client id has at most ${clientIdLengthMax} characters`)
  }
  const { session } = request
  session.context = { ...session.context, clientId }
  session.connection.clientId = clientId
  const { identity } = session.shared
  request.answer(
    native.encodeResponse(request.tag, (writer) => native.writeBrokerIdentity(writer, identity)),
  )
}

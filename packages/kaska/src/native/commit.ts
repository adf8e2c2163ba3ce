/** `commit`: where a named reader stands, all entries or none (contract 4). */
import { type CommitEntry, decodeUtf8, native } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const commit: Handler = (request, reader) => {
  request.admitList(0, (fields) => fields.skip(fields.varint()))
  const group = decodeUtf8(reader.field(), 'the name to commit for')
  const { refs } = request.session
  const entries = native
    .readCommitEntries(reader)
    .map(({ ref, ...entry }): CommitEntry => ({ topic: refs.topicOf(ref), ...entry }))
  request.settle(request.engine.commit(group, entries, request.context), () =>
    native.encodeResponse(request.tag),
  )
}

/** Which handler serves which operation: a file each. */
import { native } from '@kaska/protocol'
import { authenticate } from './authenticate.ts'
import { cancel } from './cancel.ts'
import { commit } from './commit.ts'
import { committed } from './committed.ts'
import { createTopic } from './create-topic.ts'
import { deleteTopic } from './delete-topic.ts'
import { describeTopic } from './describe-topic.ts'
import { identify } from './identify.ts'
import { initProducer } from './init-producer.ts'
import { listTopics } from './list-topics.ts'
import { messageSize } from './message-size.ts'
import { offsetAt } from './offset-at.ts'
import { offsets } from './offsets.ts'
import { ping } from './ping.ts'
import { poll } from './poll.ts'
import type { Handler } from './request.ts'
import { resolve } from './resolve.ts'
import { send } from './send.ts'
import { topicCount } from './topic-count.ts'

const byName: Readonly<Record<keyof typeof native.operation, Handler>> = {
  ping,
  authenticate,
  identify,
  createTopic,
  deleteTopic,
  listTopics,
  topicCount,
  resolve,
  describeTopic,
  initProducer,
  send,
  poll,
  messageSize,
  offsets,
  offsetAt,
  commit,
  committed,
  cancel,
}

/** By the operation's number; undefined where there is no such operation. */
export const handlers: readonly (Handler | undefined)[] = Object.entries(native.operation).reduce<
  (Handler | undefined)[]
>((table, [name, number]) => {
  table[number] = byName[name as keyof typeof native.operation]
  return table
}, [])

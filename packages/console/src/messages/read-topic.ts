/** Readers of this page: each with a connection of its own, which ends with its signal. */
import { messageFromValue, type StoredMessage } from '@kaska/protocol'
import { api, part } from '../api.ts'
import { openClient } from '../client.ts'
import type { StartAt } from './start-at.ts'
import { TopicReader } from './topic-reader.ts'

export async function openReader(
  topic: string,
  partition: number | undefined,
  start: StartAt | ReadonlyMap<number, number>,
  signal: AbortSignal,
): Promise<TopicReader> {
  // What retention has deleted meanwhile is skipped.
  const client = await openClient({ onOutOfRange: 'start', signal })
  const close = () => void client.close()
  if (signal.aborted) close()
  else signal.addEventListener('abort', close, { once: true })
  signal.throwIfAborted()
  return await TopicReader.open({ client, topic, partition, start, signal, fetchPage })
}

/** One message; rejects with ApiError where there is none. */
export async function fetchMessage(
  topic: string,
  partition: number,
  offset: number,
  signal: AbortSignal,
): Promise<StoredMessage> {
  const path = `/topics/${part(topic)}/partitions/${partition}/messages/${offset}`
  return storedOf(await api<JsonRow>(path, { signal }))
}

interface JsonRow {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
}

async function fetchPage(
  topic: string,
  partition: number,
  offset: number,
  signal: AbortSignal,
): Promise<{ messages: StoredMessage[]; nextOffset: number }> {
  const path = `/topics/${part(topic)}/messages?partition=${partition}&offset=${offset}&limit=5000`
  const page = await api<{ messages: JsonRow[]; nextOffset: number }>(path, { signal })
  return { messages: page.messages.map(storedOf), nextOffset: page.nextOffset }
}

function storedOf(row: JsonRow): StoredMessage {
  const { key, value, headers } = messageFromValue(row, 'a message')
  const { topic, partition, offset, timestamp } = row
  return { topic, partition, offset, timestamp, key, value, headers }
}

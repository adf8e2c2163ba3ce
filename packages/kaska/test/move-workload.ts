/**
 * A program on `@kaska/client` whose only setting is the broker's address: what moves from a broker to a
 * cluster and back in move.cluster.ts, unchanged.
 *
 *     KASKA_URL=... node move-workload.ts produce NAME RECORD          keys of its own, each numbered
 *     KASKA_URL=... node move-workload.ts consume NAME RECORD          all messages, commits under its name
 *     KASKA_URL=... node move-workload.ts consume-slowly NAME RECORD   the same, always behind
 *
 * What it has sent (once it is acknowledged) and received (before it commits) is written to RECORD, a line
 * of JSON each, which outlives it: a producer goes on with the numbers behind those that it finds there. A
 * consumer goes on with what is committed, as any program does. SIGTERM ends it: sends under way
 * are waited for, and what was received is committed.
 */
import { existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { type Client, connect } from '@kaska/client'

export const topic = 'orders'
export const keysOfProducer = 7

/** A line of a record. */
export type RecordLine =
  | { readonly is: 'start'; readonly url: string; readonly at: number }
  | {
      readonly is: 'sent' | 'received'
      /** `<key>/<number>` */
      readonly value: string
      readonly partition: number
      readonly offset: number
      readonly at: number
    }
  | { readonly is: 'committed'; readonly partition: number; readonly offset: number }
  | { readonly is: 'stop'; readonly at: number }

/** The lines of a record; one that a killed program has not finished is left out. */
export function readRecord(file: string): RecordLine[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.slice(0, -1).map((line) => JSON.parse(line) as RecordLine)
}

type Write = (line: RecordLine) => void

/** How many messages a consumer commits at once, and how often a producer sends. */
const commitEvery = 50
const roundMs = 40
/** What a slow consumer receives in a round: less than is sent. */
const slowCount = 16

async function produce(client: Client, name: string, seen: RecordLine[], write: Write) {
  const next = new Map<string, number>()
  for (const line of seen) {
    if (line.is !== 'sent') continue
    const [key = '', number] = line.value.split('/')
    next.set(key, Math.max(next.get(key) ?? 0, Number(number) + 1))
  }
  const send = async (value: string, key: string): Promise<void> => {
    const { partition, offset } = await client.send(topic, { key, value, headers: { by: name } })
    write({ is: 'sent', value, partition, offset, at: Date.now() })
  }
  const underWay = new Set<Promise<void>>()
  while (!stopping.aborted) {
    for (let index = 0; index < keysOfProducer; index++) {
      const key = `${name}-${index}`
      const number = next.get(key) ?? 0
      next.set(key, number + 1)
      const sent = send(`${key}/${number}`, key)
      underWay.add(sent)
      // A send that fails is one of those awaited below.
      sent.then(
        () => underWay.delete(sent),
        () => {},
      )
    }
    await delay(roundMs)
  }
  await Promise.all(underWay)
}

async function consume(client: Client, group: string, isSlow: boolean, write: Write) {
  const { partitions } = await client.describeTopic(topic)
  await client.subscribe([topic])
  const committed = new Map<number, number>()
  for (let partition = 0; partition < partitions; partition++) {
    const offset =
      (await client.committed(group, topic, partition)) ??
      (await client.startOffset(topic, partition))
    committed.set(partition, offset)
    client.seek(topic, offset, partition)
  }
  const positions = new Map(committed)
  const decoder = new TextDecoder()
  const commit = async (): Promise<void> => {
    const moved = [...positions].filter(
      ([partition, offset]) => offset !== committed.get(partition),
    )
    await Promise.all(
      moved.map(async ([partition, offset]) => {
        await client.commit(group, topic, offset, partition)
        committed.set(partition, offset)
        write({ is: 'committed', partition, offset })
      }),
    )
  }
  for (let count = 1; !stopping.aborted; count++) {
    const message = await client.poll({ signal: stopping }).catch((error: unknown) => {
      if (!stopping.aborted) throw error
    })
    if (message === undefined) break
    const { partition, offset } = message
    const value = decoder.decode(message.value ?? undefined)
    write({ is: 'received', value, partition, offset, at: Date.now() })
    positions.set(partition, offset + 1)
    if (count % commitEvery === 0) await commit()
    if (isSlow && count % slowCount === 0) await delay(roundMs)
  }
  await commit()
}

const stop = new AbortController()
const stopping = stop.signal

if (import.meta.main) {
  const [role = '', name = '', record = ''] = process.argv.slice(2)
  const url = process.env['KASKA_URL'] ?? ''
  process.once('SIGTERM', () => stop.abort(new Error('stopped')))
  const seen = readRecord(record)
  const file = openSync(record, 'a')
  const write: Write = (line) => writeSync(file, `${JSON.stringify(line)}\n`)
  await using client = await connect(url)
  write({ is: 'start', url, at: Date.now() })
  if (role === 'produce') await produce(client, name, seen, write)
  else await consume(client, name, role === 'consume-slowly', write)
  write({ is: 'stop', at: Date.now() })
}

/**
 * All topics, kept up to date: page after page, and then again after a pause that grows with how long that took, so that a
 * broker with 100,000 topics is not kept busy by one open page.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import { allPages } from './all-pages.ts'

/** A topic as GET /api/v1/topics?details=1 says it. */
export interface TopicDetails {
  readonly name: string
  readonly id: string
  readonly partitions: number
  /** Those that are there. */
  readonly messages: number
  /** Null: not known. */
  readonly bytes: number | null
  /** Since the broker's start; null where it goes through others too. */
  readonly messagesIn: number | null
  /** Null: for ever; undefined: not known. */
  readonly retentionMs?: number | null
  readonly retentionBytes?: number | null
  /** Groups that read it. */
  readonly groups: readonly string[]
}

export interface TopicRow extends TopicDetails {
  /** Messages that come, per second; null: not known yet. */
  readonly rate: number | null
}

export interface TopicsList {
  readonly rows: readonly TopicRow[]
  /** All were read at least once. */
  readonly isWhole: boolean
  readonly error: Error | undefined
  readonly refresh: () => void
}

interface Page {
  readonly topics: readonly TopicDetails[]
  readonly next?: number
}

interface Counted {
  readonly at: number
  readonly messagesIn: number
}

const everyMs = 2000
/** Of the time between two readings, that which reading took is at most one part in so many. */
const restFactor = 4
/** How often what came so far is shown while the first reading goes on. */
const showEveryMs = 500

export function useTopics(): TopicsList {
  const [state, setState] = useState<Omit<TopicsList, 'refresh'>>(nothing)
  const [asked, setAsked] = useState(0)
  const counted = useRef(new Map<string, Counted>()).current
  useEffect(() => follow(counted, setState), [counted, asked])
  return { ...state, refresh: () => setAsked((last) => last + 1) }
}

const nothing: Omit<TopicsList, 'refresh'> = { rows: [], isWhole: false, error: undefined }

type SetState = (change: (last: typeof nothing) => typeof nothing) => void

/** Returns what ends it. */
function follow(counted: Map<string, Counted>, setState: SetState): () => void {
  const aborter = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const turn = async (): Promise<void> => {
    const startedAt = performance.now()
    try {
      if (document.visibilityState === 'visible') await read(counted, setState, aborter.signal)
    } catch (error) {
      if (aborter.signal.aborted) return
      setState((last) => ({ ...last, error: error as Error }))
    }
    if (aborter.signal.aborted) return
    timer = setTimeout(turn, Math.max(everyMs, restFactor * (performance.now() - startedAt)))
  }
  void turn()
  return () => {
    aborter.abort()
    clearTimeout(timer)
  }
}

async function read(
  counted: Map<string, Counted>,
  setState: SetState,
  signal: AbortSignal,
): Promise<void> {
  const rows: TopicRow[] = []
  let shownAt = performance.now()
  for await (const { topics } of allPages<Page>('/topics?details=1', signal)) {
    const now = performance.now()
    for (const topic of topics) rows.push(withRate(topic, counted, now))
    if (now - shownAt < showEveryMs) continue
    shownAt = now
    // A list that is there already is replaced when all of the next one is.
    setState((last) => (last.isWhole ? last : { ...last, rows: [...rows] }))
  }
  if (signal.aborted) return
  const ids = new Set(rows.map(({ id }) => id))
  for (const id of counted.keys()) if (!ids.has(id)) counted.delete(id)
  setState(() => ({ rows, isWhole: true, error: undefined }))
}

function withRate(topic: TopicDetails, counted: Map<string, Counted>, now: number): TopicRow {
  const { id, messagesIn } = topic
  if (messagesIn === null) return { ...topic, rate: null }
  const before = counted.get(id)
  counted.set(id, { at: now, messagesIn })
  // A broker that was started again counts from 0.
  if (before === undefined || messagesIn < before.messagesIn) return { ...topic, rate: null }
  return { ...topic, rate: ((messagesIn - before.messagesIn) * 1000) / (now - before.at) }
}

/** Columns that topics are sorted by, as they stand in addresses. */
export const topicColumns = [
  'name',
  'partitions',
  'messages',
  'bytes',
  'rate',
  'retention',
  'groups',
] as const
export type TopicColumn = (typeof topicColumns)[number]

const values: Readonly<Record<Exclude<TopicColumn, 'name'>, (row: TopicRow) => number>> = {
  partitions: (row) => row.partitions,
  messages: (row) => row.messages,
  bytes: (row) => row.bytes ?? -1,
  rate: (row) => row.rate ?? -1,
  retention: (row) => row.retentionMs ?? Number.POSITIVE_INFINITY,
  groups: (row) => row.groups.length,
}

/** Those with the text in their names or in those of their groups; equal ones by name. */
export function shownTopics(
  rows: readonly TopicRow[],
  filter: string,
  column: TopicColumn,
  isDescending: boolean,
): TopicRow[] {
  const text = filter.trim().toLowerCase()
  const has = (name: string): boolean => name.toLowerCase().includes(text)
  const found = rows.filter(({ name, groups }) => has(name) || groups.some(has))
  const sign = isDescending ? -1 : 1
  const byName = (one: TopicRow, other: TopicRow): number => (one.name < other.name ? -1 : 1)
  if (column === 'name') return found.sort((one, other) => sign * byName(one, other))
  const value = values[column]
  return found.sort((one, other) => {
    const [first, second] = [value(one), value(other)]
    return first === second ? byName(one, other) : sign * (first < second ? -1 : 1)
  })
}

/** One topic: its partitions, its settings and their defaults, who reads it; and what can be done with it. */
import { useEffect, useState } from 'preact/hooks'
import { allPages } from '../all-pages.ts'
import { ApiError, part } from '../api.ts'
import type { TopicSetting } from '../components/setting-dialog.tsx'
import {
  AddPartitionsDialog,
  DeleteTopicDialog,
  TruncateDialog,
} from '../components/topic-dialogs.tsx'
import {
  messagesIn,
  type TopicPartition,
  TopicPartitions,
} from '../components/topic-partitions.tsx'
import { TopicSettings } from '../components/topic-settings.tsx'
import { usePolled } from '../components/use-polled.ts'
import { bytes, count } from '../format.ts'
import { go, href, route } from '../route.ts'
import { counted } from '../settings-text.ts'
import './topic.css'

/** GET /api/v1/topics/NAME */
interface TopicAnswer {
  readonly name: string
  readonly id: string
  readonly partitions: number
  readonly config: readonly TopicSetting[]
  readonly bounds: readonly TopicPartition[]
}

type Asked =
  | { readonly what: 'delete' | 'grow' }
  | { readonly what: 'truncate'; readonly partition?: number }

const everyMsMin = 2000
/** The bounds of thousands of partitions are asked for less often. */
const partitionMs = 5

export function Topic() {
  const [, name = ''] = route.value.path
  const [everyMs, setEveryMs] = useState(everyMsMin)
  const { data, error, refresh } = usePolled<TopicAnswer>(`/topics/${part(name)}`, everyMs)
  const [asked, setAsked] = useState<Asked | undefined>(undefined)
  const isGone = error instanceof ApiError && error.status === 404
  const partitions = data?.partitions ?? 0
  useEffect(() => setEveryMs(Math.max(everyMsMin, partitions * partitionMs)), [partitions])
  const dialog = { name, onClose: () => setAsked(undefined), onDone: refresh }
  return (
    <>
      <section class="panel">
        <p class="quiet up">
          <a href={href(['topics'])}>Topics</a>
        </p>
        <h1 class="name">{name}</h1>
        {error !== undefined && (
          <p class="bad" role="alert">
            {isGone ? 'There is no such topic.' : `The broker does not answer: ${error.message}`}
          </p>
        )}
        {data === undefined && error === undefined && <p class="quiet">Asking…</p>}
        {data !== undefined && !isGone && (
          <>
            <p>{summary(data)}</p>
            <GroupLinks topic={name} />
            <div class="row topic-actions">
              <a class="button" href={href(['topics', name, 'messages'])}>
                Messages
              </a>
              <a class="button" href={href(['topics', name, 'produce'])}>
                Produce
              </a>
              <span class="gap" />
              <button type="button" onClick={() => setAsked({ what: 'grow' })}>
                Add partitions
              </button>
              <button type="button" onClick={() => setAsked({ what: 'truncate' })}>
                Truncate
              </button>
              <button type="button" class="danger" onClick={() => setAsked({ what: 'delete' })}>
                Delete
              </button>
            </div>
          </>
        )}
      </section>
      {data !== undefined && !isGone && (
        <>
          <TopicPartitions
            topic={name}
            bounds={data.bounds}
            onTruncate={(partition) => setAsked({ what: 'truncate', partition })}
          />
          <TopicSettings topic={name} config={data.config} onChanged={refresh} />
        </>
      )}
      {asked?.what === 'delete' && (
        <DeleteTopicDialog {...dialog} onDone={() => go(href(['topics']))} />
      )}
      {asked?.what === 'grow' && <AddPartitionsDialog {...dialog} partitions={partitions} />}
      {asked?.what === 'truncate' && (
        <TruncateDialog {...dialog} partitions={partitions} partition={asked.partition} />
      )}
    </>
  )
}

function summary({ partitions, bounds, id }: TopicAnswer): string {
  let messages = 0
  let size: number | undefined
  for (const bound of bounds) {
    messages += messagesIn(bound) ?? 0
    if (bound.bytes !== null) size = (size ?? 0) + bound.bytes
  }
  const parts = [counted(partitions, 'partition'), counted(messages, 'message')]
  if (size !== undefined) parts.push(bytes(size))
  return `${parts.join(', ')}; id ${id}`
}

interface GroupsPage {
  readonly groups: readonly {
    readonly name: string
    readonly topics: readonly string[]
    readonly lag: number
  }[]
  readonly next?: number
}

const groupsEveryMs = 10_000
/** Beyond so many the groups' own view is the better list. */
const groupsNamed = 20

/** The groups that read the topic. */
function GroupLinks({ topic }: { readonly topic: string }) {
  const [groups, setGroups] = useState<readonly string[] | undefined>(undefined)
  useEffect(() => {
    const aborter = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const ask = async (): Promise<void> => {
      // What cannot be said now is asked again; the rest of the view says what is wrong.
      const found = await groupsOf(topic, aborter.signal).catch(() => undefined)
      if (aborter.signal.aborted) return
      if (found !== undefined) setGroups(found)
      timer = setTimeout(ask, groupsEveryMs)
    }
    void ask()
    return () => {
      aborter.abort()
      clearTimeout(timer)
    }
  }, [topic])
  if (groups === undefined) return null
  if (groups.length === 0) return <p class="quiet">No group reads it.</p>
  return (
    <p>
      Read by{' '}
      {groups.slice(0, groupsNamed).map((group, index) => (
        <span key={group}>
          {index > 0 && ', '}
          <a href={href(['groups', group])}>{group}</a>
        </span>
      ))}
      {groups.length > groupsNamed && ` and ${count(groups.length - groupsNamed)} more`}
    </p>
  )
}

async function groupsOf(topic: string, signal: AbortSignal): Promise<string[]> {
  const found: string[] = []
  for await (const { groups } of allPages<GroupsPage>('/groups', signal)) {
    for (const { name, topics } of groups) if (topics.includes(topic)) found.push(name)
  }
  return found
}

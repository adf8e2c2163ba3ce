/** All topics: what is in them, what comes, who reads; the address keeps the filter and the order. */
import { useMemo, useState } from 'preact/hooks'
import { FilterInput } from '../components/filter-input.tsx'
import { SortHeader, sortingOf } from '../components/sort-header.tsx'
import {
  CreateTopicDialog,
  DeleteTopicDialog,
  TruncateDialog,
} from '../components/topic-dialogs.tsx'
import { VirtualRows } from '../components/virtual-rows.tsx'
import { bytes, count, known, rate } from '../format.ts'
import { href, route, setQuery } from '../route.ts'
import { counted, retentionText } from '../settings-text.ts'
import {
  shownTopics,
  type TopicColumn,
  type TopicRow,
  topicColumns,
  useTopics,
} from '../topics-list.ts'
import './topics.css'

/** What is asked before it is done. */
type Asked =
  | { readonly what: 'create' }
  | { readonly what: 'delete' | 'truncate'; readonly topic: TopicRow }

const rowHeight = 36
/** Of the groups that read a topic, so many are named. */
const groupsNamed = 3

const columns: readonly (readonly [TopicColumn, label: string, isNumber: boolean])[] = [
  ['name', 'Topic', false],
  ['partitions', 'Partitions', true],
  ['messages', 'Messages', true],
  ['bytes', 'Size', true],
  ['rate', 'Rate', true],
  ['retention', 'Kept', false],
  ['groups', 'Groups', false],
]

export function Topics() {
  const { rows, isWhole, error, refresh } = useTopics()
  const [asked, setAsked] = useState<Asked | undefined>(undefined)
  const { query } = route.value
  const filter = query.get('filter') ?? ''
  const sorting = sortingOf(query.get('sort'), topicColumns)
  const shown = useMemo(
    () => shownTopics(rows, filter, sorting.column, sorting.isDescending),
    [rows, filter, sorting.column, sorting.isDescending],
  )
  const dialog = { onClose: () => setAsked(undefined), onDone: refresh }
  return (
    <section class="panel">
      <h1>Topics</h1>
      <div class="row tools">
        <FilterInput
          label="Filter topics"
          value={filter}
          onInput={(text) => setQuery({ filter: text })}
        />
        <span class="quiet">{summary(shown.length, rows.length, isWhole)}</span>
        <button type="button" class="primary" onClick={() => setAsked({ what: 'create' })}>
          Create topic
        </button>
      </div>
      {error !== undefined && (
        <p class="bad" role="alert">
          The broker does not answer: {error.message}
        </p>
      )}
      {rows.length > 0 && (
        <VirtualRows
          label="Topics"
          class="topics"
          count={shown.length}
          rowHeight={rowHeight}
          keyOf={(index) => shown[index]?.id ?? index}
          head={
            <tr>
              {columns.map(([column, label, isNumber]) => (
                <SortHeader
                  key={column}
                  column={column}
                  sorting={sorting}
                  isNumber={isNumber}
                  class={`column-${column}`}
                >
                  {label}
                </SortHeader>
              ))}
              <th scope="col" class="column-actions">
                Actions
              </th>
            </tr>
          }
          row={(index) => {
            const topic = shown[index]
            if (topic === undefined) return null
            return <Row topic={topic} ask={(what) => setAsked({ what, topic })} />
          }}
        />
      )}
      {isWhole && rows.length === 0 && <p class="quiet">There are no topics yet.</p>}
      {rows.length > 0 && shown.length === 0 && <p class="quiet">No topic matches the filter.</p>}
      {asked?.what === 'create' && <CreateTopicDialog {...dialog} />}
      {asked?.what === 'delete' && <DeleteTopicDialog {...dialog} name={asked.topic.name} />}
      {asked?.what === 'truncate' && (
        <TruncateDialog {...dialog} name={asked.topic.name} partitions={asked.topic.partitions} />
      )}
    </section>
  )
}

function summary(shown: number, all: number, isWhole: boolean): string {
  if (!isWhole) return all === 0 ? 'Asking…' : `${counted(all, 'topic')} so far…`
  return shown === all ? counted(all, 'topic') : `${count(shown)} of ${counted(all, 'topic')}`
}

interface RowProps {
  readonly topic: TopicRow
  readonly ask: (what: 'delete' | 'truncate') => void
}

function Row({ topic, ask }: RowProps) {
  const { name, groups } = topic
  return (
    <>
      <th scope="row" class="column-name" title={name}>
        <a href={href(['topics', name])}>{name}</a>
      </th>
      <td class="number column-partitions">{count(topic.partitions)}</td>
      <td class="number column-messages">
        <a href={href(['topics', name, 'messages'])} aria-label={`Messages of ${name}`}>
          {count(topic.messages)}
        </a>
      </td>
      <td class="number column-bytes">{known(topic.bytes, bytes)}</td>
      <td class="number column-rate">{known(topic.rate, rate)}</td>
      <td class="column-retention">{retentionText(topic.retentionMs, topic.retentionBytes)}</td>
      <td class="column-groups" title={groups.join('\n')}>
        {groups.slice(0, groupsNamed).map((group, index) => (
          <span key={group}>
            {index > 0 && ', '}
            <a href={href(['groups', group])}>{group}</a>
          </span>
        ))}
        {groups.length > groupsNamed && ` + ${count(groups.length - groupsNamed)}`}
      </td>
      <td class="column-actions row-actions">
        <button type="button" aria-label={`Truncate ${name}`} onClick={() => ask('truncate')}>
          Truncate
        </button>
        <button type="button" aria-label={`Delete ${name}`} onClick={() => ask('delete')}>
          Delete
        </button>
      </td>
    </>
  )
}

/** All groups of consumers, and names that offsets are kept under: who reads, and how far behind they are. */
import { useMemo } from 'preact/hooks'
import { FilterInput } from '../components/filter-input.tsx'
import { SortHeader, sortingOf } from '../components/sort-header.tsx'
import { usePages } from '../components/use-pages.ts'
import { VirtualRows } from '../components/virtual-rows.tsx'
import { count } from '../format.ts'
import type { GroupRow, GroupsPage } from '../groups/group-types.ts'
import { StateBadge } from '../groups/state-badge.tsx'
import { href, route, setQuery } from '../route.ts'
import './groups.css'

const columns = ['name', 'state', 'members', 'lag'] as const
type Column = (typeof columns)[number]

const topicsShown = 4

export function Groups() {
  const { pages, error } = usePages<GroupsPage>('/groups')
  const { query } = route.value
  const filter = query.get('q') ?? ''
  const sort = query.get('sort')
  const sorting = sortingOf<Column>(sort, [...columns])
  const rows = useMemo(
    () => arrange(pages, filter, sortingOf<Column>(sort, [...columns])),
    [pages, filter, sort],
  )
  const total = pages.reduce((sum, { groups }) => sum + groups.length, 0)
  const header = (column: Column, label: string, isNumber = false) => (
    <SortHeader column={column} sorting={sorting} isNumber={isNumber}>
      {label}
    </SortHeader>
  )
  return (
    <section class="panel">
      <div class="row head">
        <h1>Groups</h1>
        <FilterInput label="Filter groups" value={filter} onInput={(q) => setQuery({ q })} />
        <span class="quiet" role="status">
          {filter === '' ? `${count(total)} in all` : `${count(rows.length)} of ${count(total)}`}
        </span>
      </div>
      {error !== undefined && <p class="bad">{error.message}</p>}
      {pages.length > 0 && total === 0 ? (
        <p>
          There are no groups yet. One appears when a consumer of Kafka's joins it, or when a client
          commits an offset under its name.
        </p>
      ) : (
        <VirtualRows
          label="Groups"
          class="groups"
          head={
            <tr>
              {header('name', 'Group')}
              {header('lag', 'Lag', true)}
              {header('state', 'State')}
              {header('members', 'Members', true)}
              <th scope="col">Topics</th>
            </tr>
          }
          count={rows.length}
          rowHeight={34}
          keyOf={(index) => rows[index]?.name ?? index}
          row={(index) => <Cells row={rows[index]} />}
        />
      )}
    </section>
  )
}

function Cells({ row }: { readonly row: GroupRow | undefined }) {
  if (row === undefined) return null
  const { name, state, members, topics, lag } = row
  return (
    <>
      <td title={name}>
        <a href={href(['groups', name])}>{name}</a>
      </td>
      <td class="number">{count(lag)}</td>
      <td>
        <StateBadge state={state} />
      </td>
      <td class="number">{count(members)}</td>
      <td title={topics.join(', ')}>
        {topics.slice(0, topicsShown).map((topic, index) => (
          <>
            {index > 0 && ', '}
            <a href={href(['topics', topic])}>{topic}</a>
          </>
        ))}
        {topics.length > topicsShown && ` and ${count(topics.length - topicsShown)} more`}
      </td>
    </>
  )
}

/** Those whose name, state or topics hold the text, sorted. */
function arrange(
  pages: readonly GroupsPage[],
  filter: string,
  { column, isDescending }: { column: Column; isDescending: boolean },
): GroupRow[] {
  const text = filter.toLowerCase()
  const holds = (value: string) => value.toLowerCase().includes(text)
  const found = pages
    .flatMap(({ groups }) => groups)
    .filter(({ name, state, topics }) => holds(name) || holds(state) || topics.some(holds))
  const sign = isDescending ? -1 : 1
  return found.sort((one, other) => {
    const [a, b] = [one[column], other[column]]
    const order = typeof a === 'number' ? a - (b as number) : a < b ? -1 : a > b ? 1 : 0
    return order === 0 ? (one.name < other.name ? -1 : 1) : sign * order
  })
}

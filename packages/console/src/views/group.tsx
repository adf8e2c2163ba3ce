/** One group: who is in it and reads what, how far each partition was read, and what can be done about it. */
import { useState } from 'preact/hooks'
import { ApiError, part } from '../api.ts'
import { Facts } from '../components/facts.tsx'
import { FilterInput } from '../components/filter-input.tsx'
import { usePages } from '../components/use-pages.ts'
import { count, duration } from '../format.ts'
import { DeleteGroup } from '../groups/delete-group.tsx'
import type { GroupPage, OffsetRow } from '../groups/group-types.ts'
import { Members } from '../groups/members.tsx'
import { Offsets } from '../groups/offsets.tsx'
import { ResetOffsets } from '../groups/reset-offsets.tsx'
import { StateBadge } from '../groups/state-badge.tsx'
import { href, route, setQuery } from '../route.ts'
import './groups.css'

export function Group() {
  const [, name = ''] = route.value.path
  const filter = route.value.query.get('q') ?? ''
  const { pages, error, refresh } = usePages<GroupPage>(`/groups/${part(name)}`)
  const [asks, setAsks] = useState<'reset' | 'delete'>()
  const [group] = pages
  const close = () => {
    setAsks(undefined)
    refresh()
  }
  const offsets = pages.flatMap((page) => page.offsets)
  const shown = offsets.filter(({ topic }) => topic.toLowerCase().includes(filter.toLowerCase()))
  const isGone = error instanceof ApiError && error.status === 404
  return (
    <>
      <section class="panel">
        <p class="quiet where">
          <a href={href(['groups'])}>Groups</a> /
        </p>
        <div class="row head">
          <h1 class="name">{name}</h1>
          {group !== undefined && !isGone && <StateBadge state={group.state} />}
        </div>
        {error !== undefined && (
          <p class="bad" role="alert">
            {isGone ? 'There is no such group.' : error.message}
          </p>
        )}
        {group !== undefined && !isGone && (
          <>
            <Summary group={group} offsets={offsets} />
            <div class="row">
              <button type="button" onClick={() => setAsks('reset')}>
                Reset offsets…
              </button>
              <button type="button" onClick={() => setAsks('delete')}>
                Delete…
              </button>
            </div>
          </>
        )}
      </section>
      {group !== undefined && !isGone && (
        <>
          <section class="panel">
            <h2>Members</h2>
            <Members members={group.members} />
          </section>
          <section class="panel">
            <div class="row head">
              <h2>Offsets</h2>
              <FilterInput label="Filter topics" value={filter} onInput={(q) => setQuery({ q })} />
            </div>
            <Offsets rows={shown} members={group.members} />
          </section>
        </>
      )}
      {asks === 'reset' && group !== undefined && (
        <ResetOffsets
          group={name}
          topics={[...new Set(offsets.map(({ topic }) => topic))]}
          isActive={group.members.length > 0}
          onClose={close}
        />
      )}
      {asks === 'delete' && group !== undefined && (
        <DeleteGroup group={name} isActive={group.members.length > 0} onClose={close} />
      )}
    </>
  )
}

interface SummaryProps {
  readonly group: GroupPage
  readonly offsets: readonly OffsetRow[]
}

function Summary({ group, offsets }: SummaryProps) {
  const lag = offsets.reduce((sum, row) => sum + (row.lag ?? 0), 0)
  const lagMs = offsets.reduce((most, row) => Math.max(most, row.lagMs ?? 0), 0)
  const entries = [
    ['Lag', lag === 1 ? '1 message' : `${count(lag)} messages`],
    ['Oldest unread', lag === 0 ? 'none' : duration(lagMs)],
    ['Members', count(group.members.length)],
    ['Partitions', count(offsets.length)],
    ...(group.protocolType === '' ? [] : [['Protocol', protocolText(group)]]),
  ]
  return <Facts entries={entries} />
}

function protocolText({ protocolType, protocol }: GroupPage): string {
  return protocol === '' ? protocolType : `${protocolType}, ${protocol}`
}

/** How far a group has read, partition by partition. */
import { VirtualRows } from '../components/virtual-rows.tsx'
import { count, duration, known, time } from '../format.ts'
import { href } from '../route.ts'
import type { Member, OffsetRow } from './group-types.ts'

interface OffsetsProps {
  readonly rows: readonly OffsetRow[]
  readonly members: readonly Member[]
}

export function Offsets({ rows, members }: OffsetsProps) {
  const clients = new Map(members.map(({ memberId, clientId }) => [memberId, clientId]))
  if (rows.length === 0) return <p class="quiet">There are none.</p>
  const sorted = rows.toSorted(byPlace)
  return (
    <VirtualRows
      label="Offsets"
      class="offsets"
      head={
        <tr>
          <th scope="col">Topic</th>
          <th scope="col" class="number">
            Partition
          </th>
          <th scope="col" class="number">
            Offset
          </th>
          <th scope="col" class="number">
            End
          </th>
          <th scope="col" class="number">
            Lag
          </th>
          <th scope="col" class="number">
            Lag in time
          </th>
          <th scope="col">Read by</th>
          <th scope="col">Committed</th>
          <th scope="col">Metadata</th>
        </tr>
      }
      count={sorted.length}
      rowHeight={34}
      keyOf={(index) => `${sorted[index]?.topic}/${sorted[index]?.partition}`}
      row={(index) => <Cells row={sorted[index]} clients={clients} />}
    />
  )
}

interface CellsProps {
  readonly row: OffsetRow | undefined
  /** By member. */
  readonly clients: ReadonlyMap<string, string>
}

function Cells({ row, clients }: CellsProps) {
  if (row === undefined) return null
  const { topic, partition, offset, endOffset, lag, lagMs, committedAt, metadata } = row
  const isBehind = lag !== null && lag > 0
  return (
    <>
      <td title={topic}>
        <a href={href(['topics', topic])}>{topic}</a>
      </td>
      <td class="number">{partition}</td>
      <td class="number">{known(offset, count)}</td>
      <td class="number">{endOffset === null ? 'offline' : count(endOffset)}</td>
      <td class={isBehind ? 'number strong' : 'number'}>{known(lag, count)}</td>
      <td class="number">{isBehind && lagMs === null ? 'unknown' : known(lagMs, lagText)}</td>
      <td>{row.memberId === null ? '' : (clients.get(row.memberId) ?? row.memberId)}</td>
      <td>
        {offset === null ? 'never' : known(committedAt, time)}
        {row.isNative && <span class="quiet"> natively</span>}
      </td>
      <td title={metadata}>{metadata}</td>
    </>
  )
}

function lagText(ms: number): string {
  return ms === 0 ? 'none' : duration(ms)
}

function byPlace(one: OffsetRow, other: OffsetRow): number {
  if (one.topic === other.topic) return one.partition - other.partition
  return one.topic < other.topic ? -1 : 1
}

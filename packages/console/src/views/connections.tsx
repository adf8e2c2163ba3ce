/** Who is connected, with which client and protocol; what they ask for; what went wrong. */
import { useMemo } from 'preact/hooks'
import { FilterInput } from '../components/filter-input.tsx'
import { Scrollable } from '../components/scrollable.tsx'
import { SortHeader, sortingOf } from '../components/sort-header.tsx'
import { usePages } from '../components/use-pages.ts'
import { VirtualRows } from '../components/virtual-rows.tsx'
import { ConnectionDetail } from '../connections/connection-detail.tsx'
import {
  type ConnectionRow,
  type ConnectionsPage,
  type Protocol,
  protocolNames,
  type RefusedRow,
  requestCount,
} from '../connections/connection-types.ts'
import { bytes, count, duration, time } from '../format.ts'
import { href, route, setQuery } from '../route.ts'
import './connections.css'

const columns = ['connected', 'client', 'protocol', 'requests', 'received', 'sent'] as const
type Column = (typeof columns)[number]

const sortedBy: Readonly<Record<Column, (row: ConnectionRow) => number | string>> = {
  connected: ({ id }) => -id,
  client: ({ clientId }) => clientId.toLowerCase(),
  protocol: ({ protocol }) => protocolNames[protocol],
  requests: requestCount,
  received: ({ bytesIn }) => bytesIn,
  sent: ({ bytesOut }) => bytesOut,
}

export function Connections() {
  const { pages, error } = usePages<ConnectionsPage>('/connections')
  const { query } = route.value
  const filter = query.get('q') ?? ''
  const protocol = query.get('protocol') ?? ''
  const id = query.get('id')
  const sort = query.get('sort')
  const sorting = sortingOf<Column>(sort, [...columns])
  const all = useMemo(() => pages.flatMap(({ connections }) => connections), [pages])
  const rows = useMemo(() => arrange(all, filter, protocol, sort), [all, filter, protocol, sort])
  const header = (column: Column, label: string, isNumber = false) => (
    <SortHeader column={column} sorting={sorting} isNumber={isNumber}>
      {label}
    </SortHeader>
  )
  return (
    <>
      <section class="panel">
        <div class="row head">
          <h1>Connections</h1>
          <FilterInput label="Filter connections" value={filter} onInput={(q) => setQuery({ q })} />
          <select
            aria-label="Protocol"
            value={protocol}
            onChange={({ currentTarget }) => setQuery({ protocol: currentTarget.value })}
          >
            <option value="">All protocols</option>
            {Object.entries(protocolNames).map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
          <span class="quiet" role="status">
            {rows.length === all.length
              ? `${count(all.length)} in all`
              : `${count(rows.length)} of ${count(all.length)}`}
          </span>
        </div>
        {error !== undefined && <p class="bad">{error.message}</p>}
        <VirtualRows
          label="Connections"
          class="connections"
          head={
            <tr>
              {header('client', 'Client')}
              {header('protocol', 'Protocol')}
              <th scope="col">Software</th>
              <th scope="col">Address</th>
              {header('connected', 'Connected', true)}
              {header('requests', 'Requests', true)}
              {header('received', 'Received', true)}
              {header('sent', 'Sent', true)}
              <th scope="col">Last error</th>
            </tr>
          }
          count={rows.length}
          rowHeight={34}
          keyOf={(index) => rows[index]?.id ?? index}
          row={(index) => <Cells row={rows[index]} />}
          rowProps={(index) =>
            id !== null && rows[index]?.id === Number(id) ? { 'aria-current': 'true' } : {}
          }
        />
      </section>
      {id !== null && pages.length > 0 && (
        <ConnectionDetail
          id={Number(id)}
          connection={all.find((row) => row.id === Number(id))}
          onClose={() => setQuery({ id: null })}
        />
      )}
      <Refused rows={pages[0]?.refused ?? []} />
    </>
  )
}

function Cells({ row }: { readonly row: ConnectionRow | undefined }) {
  if (row === undefined) return null
  const { id, clientId, protocol, software, address, isTls, connectedAt, lastError } = row
  const failed = row.requests.reduce((sum, { failures }) => sum + failures, 0)
  const query = Object.fromEntries(route.value.query)
  return (
    <>
      <td title={clientId}>
        <a href={href(['connections'], { ...query, id: `${id}` })}>
          {clientId === '' ? `connection ${id}` : clientId}
        </a>
      </td>
      <td>
        {protocolNames[protocol]}
        {isTls && <span class="quiet"> TLS</span>}
      </td>
      <td title={software}>{software}</td>
      <td>{address}</td>
      <td class="number" title={time(connectedAt)}>
        {duration(Math.max(0, Date.now() - connectedAt))}
      </td>
      <td class="number">
        {count(requestCount(row))}
        {failed > 0 && <span class="bad"> ({count(failed)} failed)</span>}
      </td>
      <td class="number">{bytes(row.bytesIn)}</td>
      <td class="number">{bytes(row.bytesOut)}</td>
      <td class="bad" title={lastError?.text}>
        {lastError?.text}
      </td>
    </>
  )
}

function Refused({ rows }: { readonly rows: readonly RefusedRow[] }) {
  if (rows.length === 0) return null
  return (
    <section class="panel">
      <h2>Ended by the broker</h2>
      <Scrollable label="Ended by the broker" class="refused">
        <table aria-label="Ended by the broker">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Why</th>
              <th scope="col">Protocol</th>
              <th scope="col">Client</th>
              <th scope="col">Address</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={`${row.time} ${row.address} ${row.text}`}>
                <td>{time(row.time)}</td>
                <td class="why">{row.text}</td>
                <td>{row.protocol === 'unknown' ? '' : protocolNames[row.protocol]}</td>
                <td>{row.clientId}</td>
                <td>{row.address}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrollable>
    </section>
  )
}

/** Those that hold the text in what they call themselves, their address or their last error, sorted. */
function arrange(
  all: readonly ConnectionRow[],
  filter: string,
  protocol: string,
  sort: string | null,
): ConnectionRow[] {
  const { column, isDescending } = sortingOf<Column>(sort, [...columns])
  const text = filter.toLowerCase()
  const holds = (value: string) => value.toLowerCase().includes(text)
  const found = all.filter((row) => {
    if (protocol !== '' && row.protocol !== (protocol as Protocol)) return false
    const { clientId, software, address, lastError } = row
    return [clientId, software, address, lastError?.text ?? ''].some(holds)
  })
  const sign = isDescending ? -1 : 1
  const sortKey = sortedBy[column]
  return found.sort((one, other) => {
    const [a, b] = [sortKey(one), sortKey(other)]
    return a === b ? one.id - other.id : a < b ? -sign : sign
  })
}

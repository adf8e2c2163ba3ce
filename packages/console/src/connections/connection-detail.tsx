/** All that is known of one connection: its log. */
import { useLayoutEffect, useRef } from 'preact/hooks'
import { Facts } from '../components/facts.tsx'
import { Scrollable } from '../components/scrollable.tsx'
import { bytes, count, duration, time } from '../format.ts'
import { type ConnectionRow, protocolNames } from './connection-types.ts'

interface ConnectionDetailProps {
  /** Undefined: it has ended. */
  readonly connection: ConnectionRow | undefined
  readonly id: number
  readonly onClose: () => void
}

export function ConnectionDetail({ connection, id, onClose }: ConnectionDetailProps) {
  const element = useRef<HTMLElement>(null)
  // As soon as it is seen, so that no key goes elsewhere.
  useLayoutEffect(() => {
    element.current?.focus()
  }, [id])
  return (
    <section
      ref={element}
      class="panel"
      aria-label="Connection"
      tabIndex={-1}
      onKeyDown={({ key }) => {
        if (key === 'Escape') onClose()
      }}
    >
      <div class="row head">
        <h2 class="name">
          Connection {id}
          {connection !== undefined && connection.clientId !== '' && `: ${connection.clientId}`}
        </h2>
        <button
          type="button"
          class="closer"
          aria-label="Close the connection's details"
          onClick={onClose}
        >
          ×
        </button>
      </div>
      {connection === undefined ? <p>It has ended.</p> : <About connection={connection} />}
    </section>
  )
}

function About({ connection }: { readonly connection: ConnectionRow }) {
  const { protocol, isTls, address, software, clientId, lastError } = connection
  const { connectedAt, lastRequestAt, bytesIn, bytesOut, requests } = connection
  const entries = [
    ['Protocol', `${protocolNames[protocol]}${isTls ? ' over TLS' : ''}`],
    ['Client id', clientId === '' ? 'not said' : clientId],
    ['Software', software === '' ? 'not said' : software],
    ['Address', address],
    ['Connected', `${time(connectedAt)}, for ${duration(age(connectedAt))}`],
    ['Last request', lastRequestAt === null ? 'none yet' : `${duration(age(lastRequestAt))} ago`],
    ['Received', bytes(bytesIn)],
    ['Sent', bytes(bytesOut)],
  ]
  return (
    <>
      <Facts entries={entries}>
        <div class="line">
          <dt>Last error</dt>
          <dd class={lastError === null ? '' : 'bad'}>
            {lastError === null ? 'none' : `${time(lastError.time)} ${lastError.text}`}
          </dd>
        </div>
      </Facts>
      <Requests requests={requests} />
    </>
  )
}

function Requests({ requests }: Pick<ConnectionRow, 'requests'>) {
  if (requests.length === 0) return <p class="quiet">It has not asked for anything yet.</p>
  return (
    <Scrollable label="Requests by type">
      <table aria-label="Requests by type" class="requests">
        <thead>
          <tr>
            <th scope="col">Request</th>
            <th scope="col" class="number">
              Answered
            </th>
            <th scope="col" class="number">
              Failed
            </th>
          </tr>
        </thead>
        <tbody>
          {requests
            .toSorted((one, other) => other.count - one.count)
            .map(({ operation, count: answered, failures }) => (
              <tr key={operation}>
                <td>{operation}</td>
                <td class="number">{count(answered)}</td>
                <td class={failures > 0 ? 'number bad' : 'number'}>{count(failures)}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </Scrollable>
  )
}

/** The clocks of the browser and of the broker need not agree. */
function age(at: number): number {
  return Math.max(0, Date.now() - at)
}

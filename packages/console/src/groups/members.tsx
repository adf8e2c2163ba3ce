/** Who is in a group, and what each of them reads. */
import { Scrollable } from '../components/scrollable.tsx'
import { href } from '../route.ts'
import type { Member } from './group-types.ts'
import { ranges } from './ranges.ts'

export function Members({ members }: { readonly members: readonly Member[] }) {
  if (members.length === 0) return <p class="quiet">Nobody is in it now.</p>
  return (
    <Scrollable label="Members">
      <table aria-label="Members" class="members">
        <thead>
          <tr>
            <th scope="col">Client</th>
            <th scope="col">Reads</th>
            <th scope="col">Host</th>
            <th scope="col">Member</th>
          </tr>
        </thead>
        <tbody>
          {members.map(({ memberId, clientId, clientHost, instanceId, assignment }) => (
            <tr key={memberId}>
              <td>{clientId}</td>
              <td>
                {assignment.length === 0 && <span class="quiet">nothing</span>}
                {assignment.map(({ topic, partitions }) => (
                  <div key={topic}>
                    <a href={href(['topics', topic])}>{topic}</a> {ranges(partitions)}
                  </div>
                ))}
              </td>
              <td>{clientHost.replace(/^\//, '')}</td>
              <td class="mono" title={memberId}>
                {memberId}
                {instanceId !== null && <div>instance {instanceId}</div>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrollable>
  )
}

/**
 * Moves what a group goes on from: to the oldest message, the newest, an offset or a time. What would change is
 * shown, by the broker's own reckoning, before anything does.
 */
import { useEffect, useState } from 'preact/hooks'
import { api, part } from '../api.ts'
import { FormDialog } from '../components/form-dialog.tsx'
import { Scrollable } from '../components/scrollable.tsx'
import { toast } from '../components/toasts.tsx'
import { count } from '../format.ts'
import type { Move } from './group-types.ts'

interface ResetOffsetsProps {
  readonly group: string
  /** Those that it has read. */
  readonly topics: readonly string[]
  /** Only a group that nobody is in can be moved. */
  readonly isActive: boolean
  readonly onClose: () => void
}

type Kind = 'earliest' | 'latest' | 'offset' | 'timestamp'

const kinds: readonly (readonly [Kind, string])[] = [
  ['earliest', 'The oldest message'],
  ['latest', 'The newest: only what comes from now on'],
  ['timestamp', 'A time'],
  ['offset', 'An offset'],
]

/** So long nothing must be typed before the broker is asked. */
const typingMs = 250

interface Preview {
  /** For which request. */
  readonly request: string
  readonly moves: readonly Move[]
  readonly failure?: string
}

export function ResetOffsets({ group, topics, isActive, onClose }: ResetOffsetsProps) {
  const [topic, setTopic] = useState(topics[0] ?? '')
  const [partition, setPartition] = useState('')
  const [kind, setKind] = useState<Kind>('earliest')
  const [offset, setOffset] = useState('0')
  const [moment, setMoment] = useState(() => localText(new Date()))
  const [preview, setPreview] = useState<Preview>()

  const request = requestText({ topic, partition, kind, offset, moment })
  const path = `/groups/${part(group)}/reset`
  useEffect(() => {
    if (request === undefined) return
    const aborter = new AbortController()
    const ask = async (): Promise<void> => {
      try {
        const body = { ...JSON.parse(request), dryRun: true }
        const options = { method: 'POST', body, signal: aborter.signal } as const
        const { offsets: moves } = await api<{ offsets: Move[] }>(path, options)
        setPreview({ request, moves })
      } catch (error) {
        if (aborter.signal.aborted) return
        setPreview({ request, moves: [], failure: (error as Error).message })
      }
    }
    const timer = setTimeout(ask, typingMs)
    return () => {
      clearTimeout(timer)
      aborter.abort()
    }
  }, [request, path])

  const isShown = preview !== undefined && preview.request === request
  const submit = async () => {
    if (request === undefined || !isShown) return
    await api(path, { method: 'POST', body: JSON.parse(request) })
    toast('done', `Group ${group} goes on elsewhere in ${topic}`)
  }
  return (
    <FormDialog
      title="Reset offsets"
      action="Reset"
      isDisabled={isActive || !isShown || preview.failure !== undefined}
      onSubmit={submit}
      onClose={onClose}
    >
      <div class="row">
        <label>
          Topic
          <input
            list="reset-topics"
            required
            value={topic}
            onInput={({ currentTarget }) => setTopic(currentTarget.value)}
          />
          <datalist id="reset-topics">
            {topics.map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </label>
        <label>
          Partition
          <input
            type="number"
            min="0"
            placeholder="all"
            value={partition}
            onInput={({ currentTarget }) => setPartition(currentTarget.value)}
          />
        </label>
      </div>
      <fieldset>
        <legend>Go on from</legend>
        {kinds.map(([each, label]) => (
          <label key={each} class="choice">
            <input
              type="radio"
              name="kind"
              checked={kind === each}
              onChange={() => setKind(each)}
            />
            {label}
          </label>
        ))}
        {kind === 'offset' && (
          <label>
            Offset
            <input
              type="number"
              min="0"
              required
              value={offset}
              onInput={({ currentTarget }) => setOffset(currentTarget.value)}
            />
          </label>
        )}
        {kind === 'timestamp' && (
          <label>
            Time
            <input
              type="datetime-local"
              step="0.001"
              required
              value={moment}
              onInput={({ currentTarget }) => setMoment(currentTarget.value)}
            />
          </label>
        )}
      </fieldset>
      <div aria-live="polite">
        {isShown && preview.failure !== undefined && <p class="bad">{preview.failure}</p>}
        {isShown && preview.failure === undefined && <Moves moves={preview.moves} />}
      </div>
      {isActive && (
        <p class="bad">It has members, and they alone move its offsets: stop them first.</p>
      )}
    </FormDialog>
  )
}

function Moves({ moves }: { readonly moves: readonly Move[] }) {
  return (
    <Scrollable label="What changes" class="moves">
      <table aria-label="What changes">
        <thead>
          <tr>
            <th scope="col" class="number">
              Partition
            </th>
            <th scope="col" class="number">
              Now
            </th>
            <th scope="col" class="number">
              Then
            </th>
            <th scope="col" class="number">
              Change
            </th>
          </tr>
        </thead>
        <tbody>
          {moves.map(({ partition, before, after }) => (
            <tr key={partition}>
              <td class="number">{partition}</td>
              <td class="number">{before === null ? '–' : count(before)}</td>
              <td class="number">{count(after)}</td>
              <td class="number">{changeText(before, after)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrollable>
  )
}

function changeText(before: number | null, after: number): string {
  if (before === null) return 'new'
  if (before === after) return 'none'
  return after > before ? `skips ${count(after - before)}` : `again ${count(before - after)}`
}

interface Choice {
  readonly topic: string
  readonly partition: string
  readonly kind: Kind
  readonly offset: string
  readonly moment: string
}

/** The request's JSON; undefined while something is missing. */
function requestText({ topic, partition, kind, offset, moment }: Choice): string | undefined {
  const to = targetOf(kind, offset, moment)
  if (topic === '' || to === undefined) return undefined
  return JSON.stringify({
    topic,
    to,
    ...(partition === '' ? {} : { partition: Number(partition) }),
  })
}

function targetOf(kind: Kind, offset: string, moment: string): object | string | undefined {
  if (kind === 'earliest' || kind === 'latest') return kind
  if (kind === 'offset') return offset === '' ? undefined : { offset: Number(offset) }
  const timestamp = new Date(moment).getTime()
  return Number.isNaN(timestamp) ? undefined : { timestamp }
}

/** As a field for a time wants it, in the browser's time: `2026-01-31T12:00:00.123`. */
function localText(date: Date): string {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, -1)
}

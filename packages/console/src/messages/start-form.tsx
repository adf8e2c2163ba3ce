/** Which messages: of which partition, and where they begin. */
import { useState } from 'preact/hooks'
import type { StartAt } from './start-at.ts'

interface StartFormProps {
  readonly partitions: number
  readonly partition: number | undefined
  readonly start: StartAt
  readonly onPartition: (partition: number | undefined) => void
  readonly onStart: (start: StartAt) => void
}

const kinds: readonly (readonly [StartAt['at'], string])[] = [
  ['last', 'the last …'],
  ['end', 'newest: only what comes'],
  ['start', 'oldest'],
  ['offset', 'an offset'],
  ['time', 'a time'],
]

/** Beyond, a list of them is no help. */
const listedMax = 200

export function StartForm(props: StartFormProps) {
  const { partitions, partition, start, onPartition, onStart } = props
  const [kind, setKind] = useState(start.at)
  const choose = (at: StartAt['at']): void => {
    setKind(at)
    if (at === 'end' || at === 'start') onStart({ at })
    else if (at === 'last') onStart({ at, count: 100 })
  }
  return (
    <>
      <PartitionField partitions={partitions} partition={partition} onPartition={onPartition} />
      <label>
        Start at
        <select
          value={kind}
          onChange={({ currentTarget }) => choose(currentTarget.value as StartAt['at'])}
        >
          {kinds.map(([at, text]) => (
            <option key={at} value={at}>
              {text}
            </option>
          ))}
        </select>
      </label>
      {kind !== 'end' && kind !== 'start' && (
        <StartValue key={kind} kind={kind} start={start} onStart={onStart} />
      )}
    </>
  )
}

type PartitionFieldProps = Pick<StartFormProps, 'partitions' | 'partition' | 'onPartition'>

function PartitionField({ partitions, partition, onPartition }: PartitionFieldProps) {
  const choose = ({ currentTarget: { value } }: { currentTarget: { value: string } }) =>
    onPartition(value === '' ? undefined : Number(value))
  if (partitions > listedMax) {
    return (
      <label>
        Partition
        <input
          type="number"
          min="0"
          max={partitions - 1}
          placeholder="all"
          value={partition ?? ''}
          onChange={choose}
        />
      </label>
    )
  }
  return (
    <label>
      Partition
      <select value={partition ?? ''} onChange={choose}>
        <option value="">all {partitions}</option>
        {Array.from({ length: partitions }, (_, each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </label>
  )
}

interface StartValueProps {
  readonly kind: 'offset' | 'time' | 'last'
  readonly start: StartAt
  readonly onStart: (start: StartAt) => void
}

function StartValue({ kind, start, onStart }: StartValueProps) {
  if (kind === 'time') {
    const given = start.at === 'time' ? localTime(start.timestamp) : ''
    return (
      <label>
        Time
        <input
          type="datetime-local"
          step="0.001"
          value={given}
          onChange={({ currentTarget }) => {
            const timestamp = new Date(currentTarget.value).getTime()
            if (timestamp >= 0) onStart({ at: 'time', timestamp })
          }}
        />
      </label>
    )
  }
  const number =
    kind === 'last' && start.at === 'last'
      ? start.count
      : kind === 'offset' && start.at === 'offset'
        ? start.offset
        : ''
  return (
    <label>
      {kind === 'last' ? 'Of each partition' : 'Offset'}
      <input
        type="number"
        min={kind === 'last' ? 1 : 0}
        value={number}
        onChange={({ currentTarget }) => {
          const value = Number(currentTarget.value)
          if (currentTarget.value === '' || !Number.isSafeInteger(value) || value < 0) return
          onStart(kind === 'last' ? { at: kind, count: value } : { at: kind, offset: value })
        }}
      />
    </label>
  )
}

/** As the field takes it: without a zone, in that of the browser. */
function localTime(timestamp: number): string {
  const date = new Date(timestamp)
  const shifted = new Date(timestamp - date.getTimezoneOffset() * 60_000)
  return Number.isNaN(shifted.getTime()) ? '' : shifted.toISOString().slice(0, -1)
}

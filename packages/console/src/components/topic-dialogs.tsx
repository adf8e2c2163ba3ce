/** What is done with a topic as a whole, asked for first: making one, deleting one, deleting messages, more partitions. */
import { useState } from 'preact/hooks'
import { api, part } from '../api.ts'
import { count } from '../format.ts'
import { settingsOf } from '../settings-text.ts'
import { FormDialog } from './form-dialog.tsx'
import { toast } from './toasts.tsx'

interface DialogProps {
  readonly onClose: () => void
  /** After it was done. */
  readonly onDone: () => void
}

interface TopicDialogProps extends DialogProps {
  readonly name: string
}

const dayMs = 86_400_000
/** For how long messages are kept: what is asked for most. */
const retentions: readonly (readonly [ms: number, label: string])[] = [
  [3_600_000, '1 hour'],
  [dayMs, '1 day'],
  [7 * dayMs, '7 days'],
  [30 * dayMs, '30 days'],
  [-1, 'for ever'],
]

export function CreateTopicDialog({ onClose, onDone }: DialogProps) {
  const [name, setName] = useState('')
  const [partitions, setPartitions] = useState('1')
  const [retention, setRetention] = useState('')
  const [settings, setSettings] = useState('')
  const submit = async () => {
    const config = settingsOf(settings)
    if (retention !== '') config['retention.ms'] = retention
    await api('/topics', {
      method: 'POST',
      body: { name, partitions: Number(partitions), config },
    })
    toast('done', `Topic ${name} was created`)
    onDone()
  }
  return (
    <FormDialog
      title="Create a topic"
      action="Create"
      isDisabled={name === ''}
      onSubmit={submit}
      onClose={onClose}
    >
      <label>
        Name
        <input
          required
          autocomplete="off"
          spellcheck={false}
          value={name}
          onInput={({ currentTarget }) => setName(currentTarget.value)}
        />
      </label>
      <label>
        Partitions
        <input
          type="number"
          required
          min="1"
          step="1"
          value={partitions}
          onInput={({ currentTarget }) => setPartitions(currentTarget.value)}
        />
      </label>
      <label>
        Messages are kept
        <select
          value={retention}
          onChange={({ currentTarget }) => setRetention(currentTarget.value)}
        >
          <option value="">as long as the broker, or the cluster, has it</option>
          {retentions.map(([ms, label]) => (
            <option key={ms} value={String(ms)}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        Other settings, one a line: name=value
        <textarea
          class="mono"
          spellcheck={false}
          placeholder="segment.bytes=67108864"
          value={settings}
          onInput={({ currentTarget }) => setSettings(currentTarget.value)}
        />
      </label>
    </FormDialog>
  )
}

export function DeleteTopicDialog({ name, onClose, onDone }: TopicDialogProps) {
  const [typed, setTyped] = useState('')
  const submit = async () => {
    await api(`/topics/${part(name)}`, { method: 'DELETE' })
    toast('done', `Topic ${name} was deleted`)
    onDone()
  }
  return (
    <FormDialog
      title={`Delete ${name}`}
      action="Delete the topic"
      isDanger
      isDisabled={typed !== name}
      onSubmit={submit}
      onClose={onClose}
    >
      <p>
        The topic <strong class="mono">{name}</strong> goes with all its messages and with what
        groups have committed in it. There is no way back.
      </p>
      <label>
        Type the topic's name to confirm
        <input
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        />
      </label>
    </FormDialog>
  )
}

interface TruncateDialogProps extends TopicDialogProps {
  readonly partitions: number
  /** The one that is chosen at first; all unless said. */
  readonly partition?: number | undefined
}

/** Deletes messages: of one partition or all, all of them or those before an offset. */
export function TruncateDialog(props: TruncateDialogProps) {
  const { name, partitions, onClose, onDone } = props
  const [chosen, setChosen] = useState(String(props.partition ?? (partitions === 1 ? 0 : '')))
  const [before, setBefore] = useState('')
  const isOne = chosen !== ''
  const submit = async () => {
    const body = {
      ...(isOne ? { partition: Number(chosen) } : {}),
      before: isOne && before !== '' ? Number(before) : 'end',
    }
    await api(`/topics/${part(name)}/truncate`, { method: 'POST', body })
    toast('done', `Messages of ${name} were deleted`)
    onDone()
  }
  return (
    <FormDialog
      title={`Truncate ${name}`}
      action="Delete messages"
      isDanger
      onSubmit={submit}
      onClose={onClose}
    >
      <p>The topic stays, and offsets go on from where they are. There is no way back.</p>
      <label>
        Partition
        <input
          type="number"
          min="0"
          max={partitions - 1}
          step="1"
          placeholder={`all ${count(partitions)}`}
          value={chosen}
          onInput={({ currentTarget }) => setChosen(currentTarget.value)}
        />
      </label>
      <label>
        Before the offset
        <input
          type="number"
          min="0"
          step="1"
          disabled={!isOne}
          placeholder={isOne ? 'the end: all messages' : 'the end of each: all messages'}
          value={before}
          onInput={({ currentTarget }) => setBefore(currentTarget.value)}
        />
      </label>
    </FormDialog>
  )
}

interface AddPartitionsDialogProps extends TopicDialogProps {
  readonly partitions: number
}

export function AddPartitionsDialog({
  name,
  partitions,
  onClose,
  onDone,
}: AddPartitionsDialogProps) {
  const [wanted, setWanted] = useState(String(partitions + 1))
  const submit = async () => {
    const body = { partitions: Number(wanted) }
    await api(`/topics/${part(name)}`, { method: 'PATCH', body })
    toast('done', `${name} has ${count(body.partitions)} partitions`)
    onDone()
  }
  return (
    <FormDialog
      title={`Add partitions to ${name}`}
      action="Add partitions"
      onSubmit={submit}
      onClose={onClose}
    >
      <p>
        There are {count(partitions)}. Messages with a key may go to another partition than before;
        partitions are never taken away.
      </p>
      <label>
        Partitions then
        <input
          type="number"
          required
          min={partitions + 1}
          step="1"
          value={wanted}
          onInput={({ currentTarget }) => setWanted(currentTarget.value)}
        />
      </label>
    </FormDialog>
  )
}

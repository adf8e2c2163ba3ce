/** Changes one setting of a topic, or puts it back to its default. */
import { useState } from 'preact/hooks'
import { api, part } from '../api.ts'
import { meaningOf } from '../settings-text.ts'
import { FormDialog } from './form-dialog.tsx'
import { toast } from './toasts.tsx'

/** As GET /api/v1/topics/NAME says it. */
export interface TopicSetting {
  readonly name: string
  readonly value: string
  /** Nobody has set it for the topic. */
  readonly isDefault: boolean
  /** What counts where it is not set; undefined: not known. */
  readonly defaultValue?: string
  readonly type?: string
  readonly doc?: string
  /** The words that it takes; any unless said. */
  readonly words?: readonly string[]
}

/** Null: back to the default. Rejects as `api` does. */
export async function changeSetting(
  topic: string,
  name: string,
  value: string | null,
): Promise<void> {
  await api(`/topics/${part(topic)}`, { method: 'PATCH', body: { config: { [name]: value } } })
  toast('done', value === null ? `${name} has its default` : `${name} is ${value}`)
}

interface SettingDialogProps {
  readonly topic: string
  readonly setting: TopicSetting
  readonly onClose: () => void
  readonly onDone: () => void
}

export function SettingDialog({ topic, setting, onClose, onDone }: SettingDialogProps) {
  const { name, doc, defaultValue } = setting
  const [value, setValue] = useState(setting.value)
  const submit = async () => {
    await changeSetting(topic, name, value)
    onDone()
  }
  const meaning = meaningOf(name, value.trim())
  return (
    <FormDialog title={name} action="Set" onSubmit={submit} onClose={onClose}>
      {doc !== undefined && (
        <p>
          <SettingDoc text={doc} />
        </p>
      )}
      {/* biome-ignore lint/a11y/noLabelWithoutControl: the field is in it, in either form. */}
      <label>
        Value
        <ValueField setting={setting} value={value} onValue={setValue} />
      </label>
      {meaning !== undefined && <p class="quiet">{meaning}</p>}
      {defaultValue !== undefined && <p class="quiet">{defaultText(name, defaultValue)}</p>}
    </FormDialog>
  )
}

interface ValueFieldProps {
  readonly setting: TopicSetting
  readonly value: string
  readonly onValue: (value: string) => void
}

/** One of a few words is chosen; anything else is written, and the broker says whether it is taken. */
function ValueField({ setting, value, onValue }: ValueFieldProps) {
  const { type, words } = setting
  const choices = type === 'boolean' ? ['true', 'false'] : type === 'list' ? undefined : words
  if (choices === undefined) {
    return (
      <input
        class="mono"
        autocomplete="off"
        spellcheck={false}
        inputMode={type === 'int' || type === 'long' ? 'numeric' : 'text'}
        value={value}
        onInput={({ currentTarget }) => onValue(currentTarget.value)}
      />
    )
  }
  return (
    <select value={value} onChange={({ currentTarget }) => onValue(currentTarget.value)}>
      {choices.map((choice) => (
        <option key={choice} value={choice}>
          {choice}
        </option>
      ))}
    </select>
  )
}

/** `default: 604800000 (7 d)` */
export function defaultText(name: string, value: string): string {
  const meaning = meaningOf(name, value)
  const shown = value === '' ? 'empty' : value
  return meaning === undefined ? `default: ${shown}` : `default: ${shown} (${meaning})`
}

/** What a setting does, in words; what stands between backticks is code. */
export function SettingDoc({ text }: { readonly text: string }) {
  return (
    <>
      {text
        .split('`')
        .map((piece, index) => (index % 2 === 1 ? <code key={index}>{piece}</code> : piece))}
    </>
  )
}

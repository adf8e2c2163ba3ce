/** A field for bytes: the text, and what form it is in. */
import { bytesOf, type InputForm } from '../messages/bytes-text.ts'
import type { DraftBytes } from './message-draft.ts'

interface BytesFieldProps {
  readonly label: string
  readonly bytes: DraftBytes
  readonly onChange: (bytes: DraftBytes) => void
  /** What no bytes at all are called. */
  readonly nullName: string
  /** Lines of the field that are seen at first. */
  readonly lines: number
}

const forms: readonly (readonly [InputForm, string])[] = [
  ['text', 'text'],
  ['json', 'JSON'],
  ['hex', 'hex'],
  ['base64', 'base64'],
]

export function BytesField({ label, bytes, onChange, nullName, lines }: BytesFieldProps) {
  const { text, form } = bytes
  const problem = form === 'null' || text === '' ? '' : problemOf(bytes)
  return (
    <div class="bytes-field">
      <label class="wide">
        {label}
        <textarea
          class="mono"
          rows={lines}
          spellcheck={false}
          disabled={form === 'null'}
          aria-invalid={problem !== ''}
          value={form === 'null' ? '' : text}
          placeholder={form === 'null' ? nullName : ''}
          onInput={({ currentTarget }) => onChange({ text: currentTarget.value, form })}
        />
      </label>
      <label>
        {label} as
        <select
          value={form}
          onChange={({ currentTarget }) =>
            onChange({ text, form: currentTarget.value as InputForm })
          }
        >
          {forms.map(([each, name]) => (
            <option key={each} value={each}>
              {name}
            </option>
          ))}
          <option value="null">{nullName}</option>
        </select>
      </label>
      {problem !== '' && <p class="bad">{problem}</p>}
    </div>
  )
}

function problemOf({ text, form }: DraftBytes): string {
  try {
    bytesOf(text, form)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

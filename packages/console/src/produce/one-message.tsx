/** The form for one message. */
import { BytesField } from './bytes-field.tsx'
import type { DraftHeader, MessageDraft } from './message-draft.ts'

interface OneMessageProps {
  readonly draft: MessageDraft
  readonly partitions: number
  readonly onChange: (draft: MessageDraft) => void
}

export function OneMessage({ draft, partitions, onChange }: OneMessageProps) {
  const change = (changes: Partial<MessageDraft>): void => onChange({ ...draft, ...changes })
  const changeHeader = (index: number, changes: Partial<DraftHeader>): void =>
    change({
      headers: draft.headers.map((each, at) => (at === index ? { ...each, ...changes } : each)),
    })
  return (
    <>
      <BytesField
        label="Key"
        nullName="no key"
        lines={1}
        bytes={draft.key}
        onChange={(key) => change({ key })}
      />
      <BytesField
        label="Value"
        nullName="tombstone (null)"
        lines={10}
        bytes={draft.value}
        onChange={(value) => change({ value })}
      />
      <fieldset>
        <legend>Headers</legend>
        {draft.headers.map((header, index) => (
          <div class="header-row" key={index}>
            <label>
              Name {index + 1}
              <input
                value={header.name}
                spellcheck={false}
                onInput={({ currentTarget }) => changeHeader(index, { name: currentTarget.value })}
              />
            </label>
            <BytesField
              label={`Value ${index + 1}`}
              nullName="null"
              lines={1}
              bytes={header}
              onChange={({ text, form }) => changeHeader(index, { text, form })}
            />
            <button
              type="button"
              aria-label={`Remove header ${index + 1}`}
              onClick={() => change({ headers: draft.headers.filter((_, at) => at !== index) })}
            >
              ×
            </button>
          </div>
        ))}
        <button
          type="button"
          onClick={() =>
            change({ headers: [...draft.headers, { name: '', text: '', form: 'text' }] })
          }
        >
          Add a header
        </button>
      </fieldset>
      <div class="row controls">
        <label>
          Partition
          <input
            inputmode="numeric"
            placeholder={`by the key (0 to ${partitions - 1})`}
            value={draft.partition}
            onInput={({ currentTarget }) => change({ partition: currentTarget.value })}
          />
        </label>
        <label>
          Timestamp
          <input
            placeholder="now; ms since 1970 or a date"
            value={draft.timestamp}
            onInput={({ currentTarget }) => change({ timestamp: currentTarget.value })}
          />
        </label>
      </div>
    </>
  )
}

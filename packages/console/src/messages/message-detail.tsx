/** One message, all of it: beside the list, or over it where there is no room beside. */
import type { StoredMessage } from '@kaska/protocol'
import { useState } from 'preact/hooks'
import { time } from '../format.ts'
import { href } from '../route.ts'
import { bestForm, hexOf, type ShownForm, textOf, visible } from './bytes-text.ts'
import { BytesView } from './bytes-view.tsx'
import { asCurl, asKcat, asTypeScript, type Place } from './copy-as.ts'
import { copyText, saveJsonLines } from './save.ts'

interface MessageDetailProps {
  readonly message: StoredMessage
  readonly form: ShownForm | undefined
  readonly onForm: (form: ShownForm) => void
  readonly onClose: () => void
}

export function MessageDetail({ message, form, onForm, onClose }: MessageDetailProps) {
  const { topic, partition, offset, timestamp, key, value, headers } = message
  const [keyForm, setKeyForm] = useState<ShownForm>()
  const copy = (what: string, make: (message: StoredMessage, place: Place) => string) => (
    <button type="button" onClick={() => void copyText(make(message, placeOf()), what)}>
      {what}
    </button>
  )
  return (
    <section class="panel message-detail" aria-label={`Message ${partition}:${offset}`}>
      <header>
        <h2>
          Partition {partition}, offset {offset}
        </h2>
        <button type="button" aria-label="Close" onClick={onClose}>
          ×
        </button>
      </header>
      <p class="quiet">
        <time>{time(timestamp)}</time>
        {timestamp >= 0 && <span class="mono"> ({timestamp})</span>}
      </p>
      {/* biome-ignore lint/a11y/useSemanticElements: buttons that belong together, no fields */}
      <div class="row" role="group" aria-label="Copy as">
        <span class="quiet">Copy as</span>
        {copy('curl', asCurl)}
        {copy('kcat', asKcat)}
        {copy('TypeScript', asTypeScript)}
        <button
          type="button"
          onClick={() => saveJsonLines(`${topic}-${partition}-${offset}`, [message])}
        >
          Save as JSON
        </button>
        <a
          class="button"
          href={href(['topics', topic, 'produce'], { like: `${partition}:${offset}` })}
        >
          Resend with changes
        </a>
      </div>
      {value === null && <p class="tombstone">A tombstone: it has no value.</p>}
      <BytesView label="Key" bytes={key} form={keyForm} onForm={setKeyForm} />
      <BytesView label="Value" bytes={value} form={form} onForm={onForm} />
      <h3>{headers.length === 0 ? 'No headers' : `Headers (${headers.length})`}</h3>
      {headers.length > 0 && (
        <table class="headers" aria-label="Headers">
          <thead>
            <tr>
              <th>Name</th>
              <th>Value</th>
            </tr>
          </thead>
          <tbody>
            {headers.map(([name, bytes], index) => (
              <tr key={index}>
                <td class="mono">{visible(name)}</td>
                <td>
                  <HeaderValue bytes={bytes} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

/** As text where it is text, else as hex. */
function HeaderValue({ bytes }: { readonly bytes: Uint8Array | null }) {
  if (bytes === null) return <span class="quiet">null</span>
  if (bytes.length === 0) return <span class="quiet">empty</span>
  const isText = bestForm(bytes) !== 'hex'
  return (
    <span class="mono">
      {isText ? textOf(bytes) : hexOf(bytes, ' ')}
      {!isText && <span class="quiet"> hex</span>}
    </span>
  )
}

function placeOf(): Place {
  const isTls = location.protocol === 'https:'
  const port = location.port === '' ? (isTls ? 443 : 80) : Number(location.port)
  return { host: location.hostname, port, isTls }
}

/** Bytes, as JSON, text or hex: switchable. All of it is text to the page, whatever is in it. */
import { useMemo, useState } from 'preact/hooks'
import { bytes as bytesText } from '../format.ts'
import { bestForm, hexDump, lenientText, type ShownForm, textOf } from './bytes-text.ts'
import { prettyJson } from './json-text.ts'

interface BytesViewProps {
  /** What the bytes are: Key, Value, ... */
  readonly label: string
  readonly bytes: Uint8Array | null
  /** Undefined: as fits best. */
  readonly form: ShownForm | undefined
  readonly onForm: (form: ShownForm) => void
}

const forms: readonly (readonly [ShownForm, string])[] = [
  ['json', 'JSON'],
  ['text', 'Text'],
  ['hex', 'Hex'],
]

/** So many characters are shown at first; ten times as many with each press. */
const shownStart = 50_000

export function BytesView({ label, bytes, form, onForm }: BytesViewProps) {
  const best = useMemo(() => (bytes === null ? 'text' : bestForm(bytes)), [bytes])
  if (bytes === null || bytes.length === 0) {
    return (
      <div class="bytes-view">
        <h3>{label}</h3>
        <p class="quiet">{bytes === null ? 'null' : 'empty: 0 bytes'}</p>
      </div>
    )
  }
  // What is no JSON is not shown as such.
  const shown = form === 'json' && best !== 'json' ? best : (form ?? best)
  return (
    <div class="bytes-view">
      <header>
        <h3>{label}</h3>
        <span class="quiet">{bytesText(bytes.length)}</span>
        {/* biome-ignore lint/a11y/useSemanticElements: buttons that belong together, no fields */}
        <div class="switch" role="group" aria-label={`${label} as`}>
          {forms.map(([each, name]) => (
            <button
              key={each}
              type="button"
              aria-pressed={shown === each}
              disabled={each === 'json' && best !== 'json'}
              onClick={() => onForm(each)}
            >
              {name}
            </button>
          ))}
        </div>
      </header>
      <Shown key={shown} label={label} bytes={bytes} form={shown} />
    </div>
  )
}

interface ShownProps {
  readonly label: string
  readonly bytes: Uint8Array
  readonly form: ShownForm
}

function Shown({ label, bytes, form }: ShownProps) {
  const [lengthMax, setLengthMax] = useState(shownStart)
  const { pieces, isCut } = useMemo(
    () => piecesOf(bytes, form, lengthMax),
    [bytes, form, lengthMax],
  )
  return (
    <>
      {form === 'text' && textOf(bytes) === undefined && (
        <p class="quiet">Not UTF-8: what is none is shown as �.</p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached with the keyboard. */}
      <section class={`shown ${form}`} aria-label={`${label}, ${form}`} tabIndex={0}>
        <pre>
          {pieces.map(({ kind, text }, index) =>
            kind === 'plain' ? (
              text
            ) : (
              <span key={index} class={`json-${kind}`}>
                {text}
              </span>
            ),
          )}
        </pre>
      </section>
      {isCut && (
        <button type="button" onClick={() => setLengthMax(lengthMax * 10)}>
          Show more of it
        </button>
      )}
    </>
  )
}

function piecesOf(bytes: Uint8Array, form: ShownForm, lengthMax: number) {
  if (form === 'json') {
    const pretty = prettyJson(lenientText(bytes), lengthMax)
    if (pretty !== undefined) return pretty
  }
  if (form === 'hex') {
    const part = bytes.subarray(0, Math.ceil(lengthMax / 5))
    return plain(hexDump(part), part.length < bytes.length)
  }
  const text = lenientText(bytes.subarray(0, lengthMax))
  return plain(text, bytes.length > lengthMax)
}

function plain(text: string, isCut: boolean) {
  return { pieces: [{ kind: 'plain' as const, text }], isCut }
}

/** What is searched for, how far the search has come, and its end. */
import { useEffect, useState } from 'preact/hooks'
import { count } from '../format.ts'
import type { SearchKind, SearchScope } from './matchers.ts'
import { plural } from './plural.ts'
import type { Searching } from './use-search.ts'

export interface SearchWords {
  readonly text: string
  readonly kind: SearchKind
  readonly scope: SearchScope
}

interface SearchFormProps {
  /** As the address says. */
  readonly words: SearchWords
  readonly searching: Searching | undefined
  readonly onSearch: (words: SearchWords) => void
  readonly onCancel: () => void
  readonly onClear: () => void
}

const kinds: readonly (readonly [SearchKind, string, string])[] = [
  ['text', 'text', 'a text, whatever its case'],
  ['path', 'JSON path', '$.customer.id == 42    items[*].sku ~ "abc"'],
  ['js', 'JavaScript', "value.total > 100 && key.startsWith('eu-')"],
]

const scopes: readonly (readonly [SearchScope, string])[] = [
  ['all', 'anywhere'],
  ['key', 'in the key'],
  ['value', 'in the value'],
  ['headers', 'in the headers'],
]

export function SearchForm({ words, searching, onSearch, onCancel, onClear }: SearchFormProps) {
  const [text, setText] = useState(words.text)
  const [kind, setKind] = useState(words.kind)
  const [scope, setScope] = useState(words.scope)
  useEffect(() => {
    setText(words.text)
    setKind(words.kind)
    setScope(words.scope)
  }, [words.text, words.kind, words.scope])
  const example = kinds.find(([each]) => each === kind)?.[2] ?? ''
  const isRunning = searching?.state === 'searching'
  return (
    <search>
      <form
        class="row controls"
        onSubmit={(event) => {
          event.preventDefault()
          if (text.trim() !== '') onSearch({ text, kind, scope })
        }}
      >
        <label class="wide">
          Search through the whole topic
          <input
            type="search"
            class={kind === 'text' ? '' : 'mono'}
            placeholder={example}
            spellcheck={false}
            value={text}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        </label>
        <label>
          By
          <select
            value={kind}
            onChange={({ currentTarget }) => setKind(currentTarget.value as SearchKind)}
          >
            {kinds.map(([each, name]) => (
              <option key={each} value={each}>
                {name}
              </option>
            ))}
          </select>
        </label>
        {kind !== 'js' && (
          <label>
            Where
            <select
              value={scope}
              onChange={({ currentTarget }) => setScope(currentTarget.value as SearchScope)}
            >
              {scopes.map(([each, name]) => (
                <option key={each} value={each}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
        <button type="submit">Search</button>
        {isRunning && (
          <button type="button" onClick={onCancel}>
            Cancel
          </button>
        )}
        {searching !== undefined && !isRunning && (
          <button type="button" onClick={onClear}>
            Back to all messages
          </button>
        )}
      </form>
      {kind === 'js' && (
        <p class="quiet hint">
          Sees <code>key</code>, <code>value</code> (from JSON, else text), <code>text</code>,{' '}
          <code>headers</code>, <code>headerList</code>, <code>bytes</code>, <code>partition</code>,{' '}
          <code>offset</code>, <code>timestamp</code>, <code>message</code>. Whole numbers beyond
          2⁵³ are BigInts: <code>value.id === 12345678901234567890n</code>. It runs apart from this
          page, and reaches nothing but messages.
        </p>
      )}
      {searching !== undefined && <Progress searching={searching} />}
    </search>
  )
}

function Progress({ searching }: { readonly searching: Searching }) {
  const { state, progress, error, remark } = searching
  const { done, total, messages, found } = progress
  return (
    <div class="row search-progress">
      <progress aria-label="Search" max={Math.max(total, 1)} value={total === 0 ? 1 : done} />
      <span
        role="status"
        aria-label="Search result"
        aria-live={state === 'searching' ? 'off' : 'polite'}
      >
        {count(found)} found in {plural(messages, 'message')}
        {state === 'cancelled' && ', cancelled'}
        {state === 'enough' && ': enough, the search has stopped here'}
        {state === 'done' && ', all was searched'}
      </span>
      {error !== '' && (
        <span class="bad" role="alert">
          {error}
        </span>
      )}
      {remark !== '' && <span class="bad">{remark}</span>}
    </div>
  )
}

/**
 * Sends to a topic: one message with all that it may have, or many lines. `?like=PARTITION:OFFSET` begins with a
 * message that is there; `?lines=values` and `?lines=json` are for many.
 */
import { useEffect, useState } from 'preact/hooks'
import { sharedClient } from '../client.ts'
import { toast } from '../components/toasts.tsx'
import { usePolled } from '../components/use-polled.ts'
import { count } from '../format.ts'
import { fetchMessage } from '../messages/read-topic.ts'
import {
  draftOfMessage,
  emptyDraft,
  type LineKind,
  type MessageDraft,
  messageOfDraft,
  messagesOfLines,
} from '../produce/message-draft.ts'
import { OneMessage } from '../produce/one-message.tsx'
import { href, route, setQuery } from '../route.ts'
import '../messages/messages.css'
import '../produce/produce.css'

interface Sent {
  readonly id: number
  readonly partition: number
  readonly offset: number
  /** How many went with it, this one included. */
  readonly count: number
}

/** So many lines are sent in one request. */
const batchCount = 1000
const sentShown = 20

export function Produce() {
  const { path, query } = route.value
  const topic = path[1] ?? ''
  const { data, error } = usePolled<{ partitions: number }>(
    `/topics/${encodeURIComponent(topic)}`,
    10_000,
  )
  const like = query.get('like') ?? ''
  const lineKind = lineKindOf(query.get('lines'))
  const [draft, setDraft] = useState<MessageDraft>(emptyDraft)
  const [lines, setLines] = useState('')
  const [sent, setSent] = useState<readonly Sent[]>([])
  const [isSending, setSending] = useState(false)
  const [problem, setProblem] = useState('')

  useEffect(() => {
    const [, partition, offset] = /^(\d{1,9}):(\d{1,16})$/.exec(like) ?? []
    if (partition === undefined) return undefined
    const aborter = new AbortController()
    fetchMessage(topic, Number(partition), Number(offset), aborter.signal).then(
      (message) => setDraft(draftOfMessage(message)),
      (failure) => {
        if (!aborter.signal.aborted) setProblem(`${like}: ${failure.message}`)
      },
    )
    return () => aborter.abort()
  }, [topic, like])

  const send = async (): Promise<void> => {
    if (isSending) return
    setProblem('')
    setSending(true)
    try {
      const results = lineKind === undefined ? await sendOne() : await sendLines(lineKind)
      setSent((last) => [...results, ...last].slice(0, sentShown))
    } catch (failure) {
      setProblem((failure as Error).message)
    } finally {
      setSending(false)
    }
  }
  const sendOne = async (): Promise<Sent[]> => {
    const message = messageOfDraft(draft)
    const client = await sharedClient()
    const { partition, offset } = await client.send(topic, message)
    toast('done', `Sent: partition ${partition}, offset ${offset}`)
    return [{ id: performance.now(), partition, offset, count: 1 }]
  }
  const sendLines = async (kind: LineKind): Promise<Sent[]> => {
    const messages = messagesOfLines(lines, kind, topic)
    if (messages.length === 0) throw new Error('there is no line to send')
    const client = await sharedClient()
    const firsts = new Map<number, Sent>()
    for (let at = 0; at < messages.length; at += batchCount) {
      const batch = messages.slice(at, at + batchCount)
      try {
        for (const { partition, offset } of await client.sendBatch(topic, batch)) {
          const first = firsts.get(partition)
          const id = performance.now() + partition
          firsts.set(partition, {
            id,
            partition,
            offset: Math.min(offset, first?.offset ?? offset),
            count: (first?.count ?? 0) + 1,
          })
        }
      } catch (failure) {
        const { message } = failure as Error
        throw new Error(`${message} (${at} of ${messages.length} were sent before)`)
      }
    }
    toast('done', `Sent: ${count(messages.length)} messages`)
    return [...firsts.values()]
  }

  return (
    <div class="messages-view produce-view">
      <header class="row">
        <h1>
          Produce to <a href={href(['topics', topic])}>{topic}</a>
        </h1>
        <a class="button" href={href(['topics', topic, 'messages'])}>
          Messages
        </a>
      </header>
      {error !== undefined && <p class="bad">{error.message}</p>}
      <form
        class="panel"
        aria-label="Message to send"
        onSubmit={(event) => {
          event.preventDefault()
          void send()
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return
          event.preventDefault()
          void send()
        }}
      >
        {/* biome-ignore lint/a11y/useSemanticElements: buttons that belong together, no fields */}
        <div class="switch" role="group" aria-label="What to send">
          {kinds.map(([kind, name]) => (
            <button
              key={name}
              type="button"
              aria-pressed={lineKind === kind}
              onClick={() => setQuery({ lines: kind ?? null, like: null })}
            >
              {name}
            </button>
          ))}
        </div>
        {lineKind === undefined ? (
          <OneMessage draft={draft} partitions={data?.partitions ?? 1} onChange={setDraft} />
        ) : (
          <label class="lines">
            {lineKind === 'values'
              ? 'Each line is the value of a message'
              : 'Each line is a message, as it is exported: {"key":"k","value":"v","headers":[["name","value"]]}'}
            <textarea
              class="mono"
              rows={16}
              spellcheck={false}
              value={lines}
              onInput={({ currentTarget }) => setLines(currentTarget.value)}
            />
          </label>
        )}
        {problem !== '' && (
          <p class="bad" role="alert">
            {problem}
          </p>
        )}
        <div class="row">
          <button type="submit" disabled={isSending} aria-keyshortcuts="Control+Enter">
            {isSending ? 'Sending …' : 'Send'}
          </button>
          <button
            type="button"
            onClick={() => {
              setQuery({ like: null })
              setDraft(emptyDraft)
              setLines('')
              setProblem('')
            }}
          >
            Clear
          </button>
          <span class="quiet keys">
            <kbd>Ctrl</kbd> <kbd>Enter</kbd> sends
          </span>
        </div>
      </form>
      {sent.length > 0 && (
        <section class="panel" aria-label="Sent">
          <h2>Sent</h2>
          <ul class="sent">
            {sent.map(({ id, partition, offset, count: many }) => (
              <li key={id}>
                <a href={messageAddress(topic, partition, offset)}>
                  Partition {partition}, offset {offset}
                </a>
                {many > 1 && ` and ${count(many - 1)} more`}
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  )
}

const kinds: readonly (readonly [LineKind | undefined, string])[] = [
  [undefined, 'One message'],
  ['values', 'Lines of values'],
  ['json', 'JSON lines'],
]

function lineKindOf(text: string | null): LineKind | undefined {
  return text === 'values' || text === 'json' ? text : undefined
}

function messageAddress(topic: string, partition: number, offset: number): string {
  return href(['topics', topic, 'messages'], {
    partition: String(partition),
    from: `offset:${offset}`,
    open: `${partition}:${offset}`,
  })
}

/**
 * A topic's messages: followed as they come, from wherever one likes, or searched through. The address says what is
 * shown: `?partition=1&from=last:100&q=...&by=path&in=value&open=1:17&form=hex`.
 *
 * Keys: the arrows, Page Up and Down, Home and End move through the rows, Enter opens one, Escape closes it, Space
 * pauses and goes on.
 */
import type { StoredMessage } from '@kaska/protocol'
import { useEffect, useRef, useState } from 'preact/hooks'
import { usePolled } from '../components/use-polled.ts'
import type { RowsInSight, VirtualRowsHandle } from '../components/virtual-rows.tsx'
import { count } from '../format.ts'
import type { ShownForm } from '../messages/bytes-text.ts'
import { earlierThan, revealMax, type TopicBounds } from '../messages/earlier.ts'
import { FeedState } from '../messages/feed-state.tsx'
import type { KeptMessages } from '../messages/kept-messages.ts'
import type { SearchKind, SearchScope } from '../messages/matchers.ts'
import { MessageDetail } from '../messages/message-detail.tsx'
import type { MessageFeed } from '../messages/message-feed.ts'
import { MessageList } from '../messages/message-list.tsx'
import { saveJsonLines } from '../messages/save.ts'
import { SearchForm, type SearchWords } from '../messages/search-form.tsx'
import { type StartAt, startFromText, startToText } from '../messages/start-at.ts'
import { StartForm } from '../messages/start-form.tsx'
import { type FeedStart, useFeed } from '../messages/use-feed.ts'
import { useKeys } from '../messages/use-keys.ts'
import { placeOf, useOpened } from '../messages/use-opened.ts'
import { useSearch } from '../messages/use-search.ts'
import { href, route, setQuery } from '../route.ts'
import '../messages/messages.css'

/** So many messages below those in sight are read ahead, when the list does not follow the end. */
const readAhead = 20_000
/** A scroll so soon after somebody's move is theirs. */
const intentMs = 600

export function Messages() {
  const { path, query } = route.value
  const topic = path[1] ?? ''
  const { data, error } = usePolled<TopicBounds>(`/topics/${encodeURIComponent(topic)}`)
  const partition = numberOf(query.get('partition'))
  const start = startFromText(query.get('from'))
  const words = wordsOf(query)
  const form = formOf(query.get('form'))
  const openedPlace = query.get('open') ?? ''

  const search = useSearch()
  // An expression of an address is run when somebody says so; the rest is only looked for, at once.
  const isSearchDue = useRef(words.text !== '' && words.kind !== 'js')
  const isSearching = search.searching !== undefined || isSearchDue.current
  const [begins, setBegins] = useState<Begins>({ back: undefined, attempt: 0 })
  const feed = useFeed(topic, partition, begins.back ?? start, !isSearching, begins.attempt)
  const kept = isSearching ? search.searching?.found : feed?.kept

  const [isPaused, setPaused] = useState(false)
  const [isFollowing, setFollowing] = useState(startsAtEnd(start))
  const sight = useRef<RowsInSight>({ first: 0, last: 0, isAtEnd: true })
  /** What is to be scrolled to when it is there, in the list that follows this one. */
  const reveal = useRef<Reveal>(undefined)
  const movedAt = useRef(Number.NEGATIVE_INFINITY)
  const list = useRef<VirtualRowsHandle>(null)
  const [cursor, setCursor] = useState(-1)
  const [picked, setPicked] = useState<ReturnType<KeptMessages['at']>>()
  const opened = useOpened(topic, openedPlace, picked)

  const askFor = (following: boolean): void => {
    if (following) feed?.want(Number.POSITIVE_INFINITY)
    else feed?.want(sight.current.last + (reveal.current === undefined ? readAhead : revealMax))
  }
  // Gone back, the list shows what comes right before what was in sight; more may have come than was drawn by now.
  const drawn = kept?.length ?? 0
  useEffect(() => {
    const { message, after } = reveal.current ?? {}
    if (message === undefined || feed === undefined || feed === after) return
    const index = feed.kept.indexOf(message.partition, message.offset)
    if (index < 0 || index >= drawn) return
    reveal.current = undefined
    list.current?.scrollTo(index, 'end')
  })
  useEffect(() => {
    if (isPaused) feed?.pause()
    else feed?.resume()
    askFor(isFollowing)
  }, [feed, isPaused, isFollowing])
  const begin = (next: StartAt | undefined, back?: FeedStart): void => {
    const isAtEnd = next !== undefined && startsAtEnd(next)
    setBegins(({ attempt }) => ({ back, attempt: attempt + 1 }))
    setFollowing(isAtEnd)
    setPaused(false)
    setCursor(-1)
    const message = back === undefined ? undefined : kept?.at(sight.current.first)
    reveal.current = message === undefined ? undefined : { message, after: feed }
    sight.current = { first: 0, last: 0, isAtEnd: true }
  }

  const runSearch = ({ text, kind, scope }: SearchWords): void => {
    setCursor(-1)
    search.start({ topic, partition, text, kind, scope })
  }
  useEffect(() => {
    if (isSearchDue.current) runSearch(words)
    isSearchDue.current = false
  }, [])

  const openRow = (row: number): void => {
    const message = kept?.at(row - kept.dropped)
    if (message === undefined) return
    setCursor(row)
    setPicked(message)
    setQuery({ open: placeOf(message) })
  }
  const close = (): void => setQuery({ open: null })
  const moveTo = (row: number): void => {
    if (kept === undefined || kept.length === 0) return
    const first = kept.dropped
    const next = Math.min(Math.max(row, first), first + kept.length - 1)
    movedAt.current = performance.now()
    if (next < first + kept.length - 1) setFollowing(false)
    setCursor(next)
    if (openedPlace !== '') openRow(next)
  }
  useKeys((key) => {
    if (kept === undefined) return false
    const { first, last } = sight.current
    const at = cursor < 0 ? kept.dropped + first - 1 : cursor
    const page = Math.max(1, last - first - 1)
    if (key === 'ArrowDown') moveTo(at + 1)
    else if (key === 'ArrowUp') moveTo(cursor < 0 ? kept.dropped + last : at - 1)
    else if (key === 'PageDown') moveTo(at + page)
    else if (key === 'PageUp') moveTo(at - page)
    else if (key === 'Home') moveTo(0)
    else if (key === 'End') moveTo(Number.MAX_SAFE_INTEGER)
    else if (key === 'Enter' && cursor >= 0) openRow(cursor)
    else if (key === 'Escape' && openedPlace !== '') close()
    else if (key === ' ' && !isSearching) setPaused(!isPaused)
    else return false
    return true
  })

  const partitions = data?.partitions ?? 1
  const earlier = isSearching ? undefined : earlierThan(feed, data, begins.back ?? start)
  return (
    <div class={`messages-view${opened.message === undefined ? '' : ' has-opened'}`}>
      <header class="row">
        <h1>
          <a href={href(['topics', topic])}>{topic}</a> messages
        </h1>
        <a class="button" href={href(['topics', topic, 'produce'])}>
          Produce
        </a>
      </header>
      <section class="panel" aria-label="Which messages">
        <div class="row controls">
          <StartForm
            partitions={partitions}
            partition={partition}
            start={start}
            onPartition={(next) => {
              setQuery({ partition: next === undefined ? null : String(next), open: null })
              begin(start)
              if (search.searching !== undefined) {
                const { text, kind, scope } = search.searching.request
                search.start({ topic, partition: next, text, kind, scope })
              }
            }}
            onStart={(next) => {
              setQuery({ from: startToText(next), q: null, by: null, in: null })
              search.clear()
              begin(next)
            }}
          />
          {!isSearching && (
            <>
              <button
                type="button"
                aria-pressed={isPaused}
                aria-keyshortcuts="Space"
                onClick={() => setPaused(!isPaused)}
              >
                {isPaused ? 'Go on' : 'Pause'}
              </button>
              <FeedState feed={feed} isFollowing={isFollowing} data={data} />
              {feed?.phase === 'failed' && (
                <button type="button" onClick={() => begin(start)}>
                  Try again
                </button>
              )}
              {!isFollowing && (
                <button
                  type="button"
                  onClick={() => {
                    setFollowing(true)
                    list.current?.scrollToEnd()
                  }}
                >
                  Follow the end
                </button>
              )}
            </>
          )}
        </div>
        <SearchForm
          words={words}
          searching={search.searching}
          onSearch={(next) => {
            setQuery({ q: next.text, by: next.kind, in: next.scope === 'all' ? null : next.scope })
            runSearch(next)
          }}
          onCancel={search.cancel}
          onClear={() => {
            setQuery({ q: null, by: null, in: null })
            search.clear()
            begin(start)
          }}
        />
        {error !== undefined && feed?.phase !== 'failed' && <p class="bad">{error.message}</p>}
      </section>
      <div class="messages-and-one">
        <section class="panel" aria-label="Messages">
          {earlier !== undefined && (
            <p class="row earlier">
              {kept !== undefined && kept.dropped > 0 && (
                <span>
                  The page keeps the newest {count(kept.length)}: {count(kept.dropped)} older ones
                  are in the log alone.
                </span>
              )}
              <button type="button" onClick={() => begin(undefined, earlier)}>
                Earlier messages
              </button>
            </p>
          )}
          {kept !== undefined && (
            <MessageList
              key={isSearching ? 'found' : `feed ${begins.attempt}`}
              label={isSearching ? 'Messages found' : 'Messages of the topic'}
              kept={kept}
              isFollowing={!isSearching && isFollowing}
              cursor={cursor}
              opened={openedPlace}
              addressOf={(open) => addressWith(open)}
              onOpen={openRow}
              onCursor={setCursor}
              handle={list}
              onScrollBy={() => {
                movedAt.current = performance.now()
              }}
              onSight={(rows) => {
                sight.current = rows
                const isTheirs = performance.now() - movedAt.current < intentMs
                if (isTheirs && !isSearching) setFollowing(rows.isAtEnd)
                askFor(isTheirs ? rows.isAtEnd : isFollowing)
              }}
            />
          )}
          {kept?.length === 0 && (
            <p class="quiet">{isSearching ? 'Nothing was found yet.' : 'No messages here yet.'}</p>
          )}
          <p class="row">
            <button
              type="button"
              disabled={kept === undefined || kept.length === 0}
              onClick={() => kept !== undefined && saveJsonLines(topic, kept)}
            >
              Export {count(kept?.length ?? 0)} as JSON lines
            </button>
            <span class="quiet keys">
              <kbd>↑</kbd> <kbd>↓</kbd> move, <kbd>Enter</kbd> opens, <kbd>Esc</kbd> closes,{' '}
              <kbd>Space</kbd> pauses
            </span>
          </p>
        </section>
        {opened.message !== undefined && (
          <MessageDetail
            key={openedPlace}
            message={opened.message}
            form={form}
            onForm={(next) => setQuery({ form: next })}
            onClose={close}
          />
        )}
        {opened.error !== '' && (
          <section class="panel message-detail" role="alert">
            <p class="bad">
              {openedPlace}: {opened.error}
            </p>
          </section>
        )}
      </div>
    </div>
  )
}

type Reveal = { message: StoredMessage; after: MessageFeed | undefined } | undefined

/** Where a list begins that was gone back in, and how often one was begun. */
interface Begins {
  readonly back: FeedStart | undefined
  readonly attempt: number
}

function startsAtEnd({ at }: StartAt): boolean {
  return at === 'end' || at === 'last'
}

function addressWith(open: string): string {
  const { path, query } = route.value
  return href(path, { ...Object.fromEntries(query), open })
}

function numberOf(text: string | null): number | undefined {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

function formOf(text: string | null): ShownForm | undefined {
  return text === 'json' || text === 'text' || text === 'hex' ? text : undefined
}

function wordsOf(query: URLSearchParams): SearchWords {
  const by = query.get('by')
  const where = query.get('in')
  const kind: SearchKind = by === 'path' || by === 'js' ? by : 'text'
  const scope: SearchScope =
    where === 'key' || where === 'value' || where === 'headers' ? where : 'all'
  return { text: query.get('q') ?? '', kind, scope }
}

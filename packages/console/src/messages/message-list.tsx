/** The messages as rows; what is in sight is drawn. */
import { useEffect, useRef, useState } from 'preact/hooks'
import {
  type RowsInSight,
  VirtualRows,
  type VirtualRowsHandle,
} from '../components/virtual-rows.tsx'
import { time } from '../format.ts'
import { preview } from './bytes-text.ts'
import type { KeptMessages } from './kept-messages.ts'

interface MessageListProps {
  readonly label: string
  readonly kept: KeptMessages
  /** Stays at the end while messages come. */
  readonly isFollowing: boolean
  /** The row that the keys have come to, counted with those that are no longer kept; -1: none. */
  readonly cursor: number
  /** `partition:offset` of the message that is shown beside. */
  readonly opened: string
  readonly addressOf: (key: string) => string
  readonly onOpen: (row: number) => void
  /** The focus has come to a row. */
  readonly onCursor: (row: number) => void
  readonly onSight: (rows: RowsInSight) => void
  /** Somebody scrolls, with whatever. */
  readonly onScrollBy: () => void
  readonly handle: { current: VirtualRowsHandle | null }
}

const narrow = '(max-width: 44rem)'

export function MessageList(props: MessageListProps) {
  const { kept, cursor, opened, addressOf, onOpen, handle, isFollowing } = props
  const box = useRef<HTMLDivElement>(null)
  const isNarrow = useMedia(narrow)
  const cursorIndex = cursor - kept.dropped
  useEffect(() => {
    if (cursor < 0) return
    handle.current?.scrollTo(cursorIndex)
    // Whoever is in the list stays in it: on the row's link.
    if (box.current?.contains(document.activeElement) !== true) return
    const frame = requestAnimationFrame(() => {
      const link = box.current?.querySelector<HTMLElement>(`tr[data-row="${cursor}"] a`)
      link?.focus({ preventScroll: true })
    })
    return () => cancelAnimationFrame(frame)
  }, [cursor])
  return (
    <div
      ref={box}
      class="message-list"
      onWheel={props.onScrollBy}
      onTouchMove={props.onScrollBy}
      onPointerDown={props.onScrollBy}
    >
      <VirtualRows
        label={props.label}
        class="messages"
        head={
          <tr>
            <th class="number partition">
              <abbr title="Partition">P</abbr>
            </th>
            <th class="number offset">Offset</th>
            <th class="time">Time</th>
            <th class="key">Key</th>
            <th>Value</th>
          </tr>
        }
        count={kept.length}
        rowHeight={isNarrow ? 40 : 30}
        keep={isFollowing ? 'end' : 'row'}
        keyOf={(index) => index + kept.dropped}
        onSight={props.onSight}
        handle={handle}
        rowProps={(index) => {
          const message = kept.at(index)
          const key = message === undefined ? '' : `${message.partition}:${message.offset}`
          const row = index + kept.dropped
          return {
            'data-row': row,
            class: `message-row ${row === cursor ? 'cursor ' : ''}${key === opened ? 'opened' : ''}`,
            'aria-current': key === opened ? 'true' : undefined,
            onFocusCapture: () => props.onCursor(row),
            onClick: (event: MouseEvent) => {
              if (event.ctrlKey || event.metaKey || event.shiftKey) return
              // A selection of text is no click.
              if (getSelection()?.isCollapsed === false) return
              event.preventDefault()
              event.stopPropagation()
              onOpen(row)
            },
          } as object
        }}
        row={(index) => {
          const message = kept.at(index)
          if (message === undefined) return null
          const { partition, offset, timestamp, key, value } = message
          const place = `${partition}:${offset}`
          return (
            <>
              <td class="number partition">{partition}</td>
              <td class="number offset">
                <a href={addressOf(place)} aria-label={`Partition ${partition}, offset ${offset}`}>
                  {offset}
                </a>
              </td>
              <td class="time">{time(timestamp)}</td>
              <td class="key mono">
                <Short bytes={key} />
              </td>
              <td class="mono">
                <Short bytes={value} />
              </td>
            </>
          )
        }}
      />
    </div>
  )
}

function Short({ bytes }: { readonly bytes: Uint8Array | null }) {
  const { kind, text } = preview(bytes)
  return kind === 'text' ? text : <span class={`quiet ${kind}`}>{text}</span>
}

function useMedia(query: string): boolean {
  const [list] = useState(() => matchMedia(query))
  const [isMatching, setMatching] = useState(list.matches)
  useEffect(() => {
    const change = () => setMatching(list.matches)
    list.addEventListener('change', change)
    return () => list.removeEventListener('change', change)
  }, [list])
  return isMatching
}

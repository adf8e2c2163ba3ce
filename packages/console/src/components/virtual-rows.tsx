/**
 * A table of any number of rows, of which those in sight (and a few around them) are drawn: a table to those who
 * do not see it too, with its real number of rows. It scrolls within itself; its head stays in sight.
 *
 *     ┌ section.rows ───────┐  scrolls; takes the focus, so that the keys scroll it
 *     │ thead               │
 *     │ tr.spacer           │  as high as the rows above
 *     │ tr ... tr           │  drawn
 *     │ tr.spacer           │  as high as the rows below
 *     └─────────────────────┘
 */
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type VirtualizerOptions,
} from '@tanstack/virtual-core'
import type { ComponentChildren, HTMLAttributes, Ref } from 'preact'
import {
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useReducer,
  useRef,
  useState,
} from 'preact/hooks'
import './virtual-rows.css'

export interface VirtualRowsHandle {
  scrollTo(index: number, align?: 'auto' | 'start' | 'center' | 'end'): void
  scrollToEnd(): void
}

export interface RowsInSight {
  readonly first: number
  readonly last: number
  readonly isAtEnd: boolean
}

export interface VirtualRowsProps {
  /** The table's name. */
  readonly label: string
  /** For the table: widths of columns are a style sheet's. Columns do not grow with what is in them. */
  readonly class?: string
  /** One or more `<tr>` of `<th>`. */
  readonly head: ComponentChildren
  readonly count: number
  /** In pixels: of each row, or, where rows are measured, what one is expected to be. */
  readonly rowHeight: number
  /** Rows are as high as what is in them. */
  readonly isMeasured?: boolean
  /** The cells of a row. */
  readonly row: (index: number) => ComponentChildren
  /** Attributes of its `<tr>`. */
  readonly rowProps?: (index: number) => HTMLAttributes<HTMLTableRowElement>
  /** Tells rows apart where their places change. */
  readonly keyOf?: (index: number) => string | number
  /**
   * What stays when rows come or go: `offset`, how far it is scrolled; `row`, the row that is at the top, wherever
   * it is now (keyOf); `end`, the end where that is in sight, else the row. Those two are for lists that are added to at
   * an end.
   */
  readonly keep?: 'offset' | 'row' | 'end'
  /** After what is in sight has changed. */
  readonly onSight?: (rows: RowsInSight) => void
  readonly handle?: Ref<VirtualRowsHandle>
}

/** Rows that are drawn on each side of those in sight: enough for the Tab key to find the next. */
const overscan = 8
/** How near to its end a list counts as being there, in pixels. */
const endThreshold = 24

export function VirtualRows(props: VirtualRowsProps) {
  const { count, rowHeight, row, rowProps, keyOf, keep = 'offset', isMeasured = false } = props
  const scroller = useRef<HTMLElement>(null)
  const head = useRef<HTMLTableSectionElement>(null)
  const [headHeight, setHeadHeight] = useState(0)
  const [, redraw] = useReducer((turn: number, _: null) => turn + 1, 0)
  const options: VirtualizerOptions<HTMLElement, HTMLTableRowElement> = {
    count,
    estimateSize: () => rowHeight,
    getScrollElement: () => scroller.current,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    overscan,
    paddingStart: headHeight,
    scrollPaddingStart: headHeight,
    scrollEndThreshold: endThreshold,
    anchorTo: keep === 'offset' ? 'start' : 'end',
    followOnAppend: keep === 'end',
    onChange: () => redraw(null),
    ...(keyOf === undefined ? {} : { getItemKey: keyOf }),
  }
  const [virtualizer] = useState(() => new Virtualizer(options))
  virtualizer.setOptions(options)

  useLayoutEffect(() => virtualizer._didMount(), [virtualizer])
  useLayoutEffect(() => {
    virtualizer._willUpdate()
    setHeadHeight(head.current?.offsetHeight ?? 0)
    // It may have scrolled just now, and the browser says so in the next frame: the rows are drawn in this one.
    const element = scroller.current
    if (element !== null && element.scrollTop !== virtualizer.scrollOffset) {
      element.dispatchEvent(new Event('scroll'))
    }
  })
  useEffect(() => virtualizer.measure(), [virtualizer, rowHeight, isMeasured])
  useImperativeHandle(
    props.handle ?? null,
    () => ({
      scrollTo: (index, align = 'auto') => virtualizer.scrollToIndex(index, { align }),
      scrollToEnd: () => virtualizer.scrollToEnd(),
    }),
    [virtualizer],
  )

  const items = virtualizer.getVirtualItems()
  const above = (items[0]?.start ?? headHeight) - headHeight
  const below = virtualizer.getTotalSize() - (items.at(-1)?.end ?? headHeight)
  const { startIndex: first, endIndex: last } = virtualizer.range ?? { startIndex: 0, endIndex: -1 }
  const isAtEnd = virtualizer.isAtEnd(endThreshold)
  const { onSight } = props
  useEffect(() => onSight?.({ first, last, isAtEnd }), [first, last, isAtEnd, count])

  return (
    <section
      ref={scroller}
      class="rows"
      aria-label={props.label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys.
      tabIndex={0}
      style={{ scrollPaddingTop: `${headHeight}px` }}
    >
      <table
        class={`${isMeasured ? 'measured ' : ''}${props.class ?? ''}`}
        aria-label={props.label}
        aria-rowcount={count + 1}
      >
        <thead ref={head}>{props.head}</thead>
        <tbody>
          <Spacer height={above} />
          {items.map(({ index, key }) => (
            <tr
              key={key}
              ref={isMeasured ? virtualizer.measureElement : null}
              data-index={index}
              aria-rowindex={index + 2}
              {...(isMeasured ? {} : { style: { height: `${rowHeight}px` } })}
              {...rowProps?.(index)}
            >
              {row(index)}
            </tr>
          ))}
          <Spacer height={below} />
        </tbody>
      </table>
    </section>
  )
}

/** It is always there, so that the rows keep their elements. */
function Spacer({ height }: { readonly height: number }) {
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a row of nothing takes no focus.
    <tr class="spacer" aria-hidden="true">
      <td style={{ height: `${Math.max(0, height)}px` }} />
    </tr>
  )
}

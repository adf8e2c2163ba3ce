/** The partitions of a topic: where each begins and ends, and what it holds. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { bytes, count, known, rate } from '../format.ts'
import { href } from '../route.ts'
import { VirtualRows } from './virtual-rows.tsx'

/** As GET /api/v1/topics/NAME says it. */
export interface TopicPartition {
  /** Null, as the other one: it is offline. */
  readonly startOffset: number | null
  readonly endOffset: number | null
  /** Null: not known. */
  readonly bytes: number | null
}

/** Undefined: it is offline. */
export function messagesIn({ startOffset, endOffset }: TopicPartition): number | undefined {
  return startOffset === null || endOffset === null ? undefined : endOffset - startOffset
}

interface TopicPartitionsProps {
  readonly topic: string
  /** In the order of their numbers. */
  readonly bounds: readonly TopicPartition[]
  readonly onTruncate: (partition: number) => void
}

export function TopicPartitions({ topic, bounds, onTruncate }: TopicPartitionsProps) {
  const rates = useRates(bounds)
  const hasBytes = bounds.some((bound) => bound.bytes !== null)
  return (
    <section class="panel">
      <h2>Partitions</h2>
      <VirtualRows
        label="Partitions"
        class="partitions"
        count={bounds.length}
        rowHeight={34}
        head={
          <tr>
            <th scope="col" class="number column-partition">
              Partition
            </th>
            <th scope="col" class="number column-start">
              First offset
            </th>
            <th scope="col" class="number">
              Next offset
            </th>
            <th scope="col" class="number">
              Messages
            </th>
            {hasBytes && (
              <th scope="col" class="number column-size">
                Size
              </th>
            )}
            <th scope="col" class="number column-rate">
              Rate
            </th>
            <th scope="col" class="column-actions">
              Actions
            </th>
          </tr>
        }
        row={(index) => {
          const bound = bounds[index]
          if (bound === undefined) return null
          const messages = messagesIn(bound)
          const address = href(['topics', topic, 'messages'], { partition: String(index) })
          return (
            <>
              <th scope="row" class="number column-partition">
                {count(index)}
              </th>
              <td class="number column-start">{known(bound.startOffset, count)}</td>
              <td class="number">{known(bound.endOffset, count)}</td>
              <td class="number">
                {messages === undefined ? (
                  <span class="bad">offline</span>
                ) : (
                  <a href={address} aria-label={`Messages of partition ${index}`}>
                    {count(messages)}
                  </a>
                )}
              </td>
              {hasBytes && <td class="number column-size">{known(bound.bytes, bytes)}</td>}
              <td class="number column-rate">{known(rates[index], rate)}</td>
              <td class="column-actions row-actions">
                <button
                  type="button"
                  aria-label={`Truncate partition ${index}`}
                  onClick={() => onTruncate(index)}
                >
                  Truncate
                </button>
              </td>
            </>
          )
        }}
      />
    </section>
  )
}

/** Messages that came per second since the last answer; null: not known yet. */
function useRates(bounds: TopicPartitionsProps['bounds']): readonly (number | null)[] {
  const last = useRef<{ readonly bounds: typeof bounds; readonly at: number } | undefined>(
    undefined,
  )
  const [rates, setRates] = useState<readonly (number | null)[]>([])
  useEffect(() => {
    const [before, at] = [last.current, performance.now()]
    last.current = { bounds, at }
    if (before === undefined) return
    const seconds = (at - before.at) / 1000
    // Another one of the same name may be shorter.
    setRates(
      bounds.map((bound, index) => {
        const came =
          (bound?.endOffset ?? Number.NaN) - (before.bounds[index]?.endOffset ?? Number.NaN)
        return came >= 0 ? came / seconds : null
      }),
    )
  }, [bounds])
  return rates
}

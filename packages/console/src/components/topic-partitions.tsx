/** The partitions of a topic: where each begins and ends, and what it holds. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { bytes, count, rate } from '../format.ts'
import { href } from '../route.ts'
import { VirtualRows } from './virtual-rows.tsx'

/** As GET /api/v1/topics/NAME says it. */
export interface TopicPartition {
  readonly startOffset: number
  readonly endOffset: number
  readonly bytes?: number
}

interface TopicPartitionsProps {
  readonly topic: string
  /** In the order of their numbers; null: nothing is known of it now. */
  readonly bounds: readonly (TopicPartition | null)[]
  readonly onTruncate: (partition: number) => void
}

export function TopicPartitions({ topic, bounds, onTruncate }: TopicPartitionsProps) {
  const rates = useRates(bounds)
  const hasBytes = bounds.some((bound) => bound?.bytes !== undefined)
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
          const bound = bounds[index] ?? null
          const messages = bound === null ? null : bound.endOffset - bound.startOffset
          const address = href(['topics', topic, 'messages'], { partition: String(index) })
          return (
            <>
              <th scope="row" class="number column-partition">
                {count(index)}
              </th>
              <td class="number column-start">{known(bound?.startOffset, count)}</td>
              <td class="number">{known(bound?.endOffset, count)}</td>
              <td class="number">
                <a href={address} aria-label={`Messages of partition ${index}`}>
                  {known(messages, count)}
                </a>
              </td>
              {hasBytes && <td class="number column-size">{known(bound?.bytes, bytes)}</td>}
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

function known(value: number | null | undefined, format: (value: number) => string): string {
  return value == null ? '–' : format(value)
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

/**
 * Lines over the last minutes. Colours are the style sheet's, in both themes; what the lines end at, or where the
 * pointer is, stands as text beside them, for those who do not see them too.
 */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import './chart.css'

export interface ChartSeries {
  readonly label: string
  /** One for each time; null: not known. */
  readonly values: readonly (number | null)[]
}

interface ChartProps {
  readonly title: string
  /** In milliseconds since 1970, ascending. */
  readonly times: readonly number[]
  /** As many in each rendering, at most five. */
  readonly series: readonly ChartSeries[]
  /** How much is shown before the last time, in milliseconds: less where the first one is later. */
  readonly spanMs: number
  readonly format: (value: number) => string
  /** What the axis shows at least, from 0. */
  readonly topMin: number
  /** The axis is marked at powers of two. */
  readonly isBinary?: boolean
}

const height = 150
/** However little is there. */
const spanMinMs = 60_000
const binarySteps = Array.from({ length: 54 }, (_, power) => 2 ** power)

export function Chart(props: ChartProps) {
  const { title, times, series, spanMs, format, topMin, isBinary = false } = props
  const place = useRef<HTMLDivElement>(null)
  const legend = useRef<HTMLUListElement>(null)
  const plot = useRef<UPlot | undefined>(undefined)
  const [pointed, setPointed] = useState<number | null>(null)
  const labels = series.map(({ label }) => label)

  useLayoutEffect(() => {
    const [element, list] = [place.current, legend.current]
    if (element === null || list === null) return
    const made = new UPlot(
      {
        ...plotOptions(element, list, labels, { spanMs, format, topMin, isBinary }),
        hooks: { setCursor: [({ cursor }) => setPointed(cursor.idx ?? null)] },
      },
      dataOf(times, series),
      element,
    )
    plot.current = made
    const resize = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    resize.observe(element)
    const theme = matchMedia('(prefers-color-scheme: dark)')
    const repaint = () => made.redraw(false, true)
    theme.addEventListener('change', repaint)
    return () => {
      theme.removeEventListener('change', repaint)
      resize.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [labels.join('\n'), spanMs, format, topMin, isBinary])

  useEffect(() => plot.current?.setData(dataOf(times, series)), [times, series])

  return (
    <figure class="chart panel">
      <figcaption>
        <h2>{title}</h2>
        <ul ref={legend}>
          {series.map(({ label, values }, index) => {
            const value = pointed === null ? values.at(-1) : values[pointed]
            return (
              <li key={label} class={`series-${index + 1}`}>
                <span>{label}</span> <strong>{value == null ? '–' : format(value)}</strong>
              </li>
            )
          })}
        </ul>
      </figcaption>
      <div ref={place} class="plot" role="img" aria-label={`${title}, the last minutes`} />
    </figure>
  )
}

interface NoChartProps {
  readonly title: string
  readonly text: string
}

/** In the place of a chart of which there is nothing to show: says why. */
export function NoChart({ title, text }: NoChartProps) {
  return (
    <figure class="chart panel">
      <figcaption>
        <h2>{title}</h2>
      </figcaption>
      <p class="plot quiet">{text}</p>
    </figure>
  )
}

function dataOf(times: readonly number[], series: readonly ChartSeries[]): UPlot.AlignedData {
  return [times.map((time) => time / 1000), ...series.map(({ values }) => [...values])]
}

type PlotProps = Required<Pick<ChartProps, 'spanMs' | 'format' | 'topMin' | 'isBinary'>>

/** Colours and letters are asked for at each drawing: the theme may have changed. */
function plotOptions(
  element: HTMLElement,
  legend: HTMLElement,
  labels: readonly string[],
  { spanMs, format, topMin, isBinary }: PlotProps,
): UPlot.Options {
  const style = getComputedStyle(element)
  const colour = (index: number): string => {
    const item = legend.children[index]
    return item === undefined ? style.color : getComputedStyle(item).color
  }
  const axis: UPlot.Axis = {
    stroke: () => style.color,
    font: `${style.fontSize} ${style.fontFamily}`,
    grid: { stroke: () => style.borderTopColor, width: 1 },
    ticks: { show: false },
  }
  return {
    width: element.clientWidth,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'time' }, points: { size: 6 } },
    scales: {
      x: {
        range: (_, first, last) => {
          const span = Math.min(spanMs, Math.max(spanMinMs, (last - first) * 1000))
          return [last - span / 1000, last]
        },
      },
      y: { range: (_, __, most) => [0, Math.max(topMin, (most ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, size: 24, gap: 4, space: 60, values: (_, times) => times.map(clockTime) },
      {
        ...axis,
        size: 64,
        gap: 6,
        space: 32,
        values: (_, values) => values.map(format),
        ...(isBinary ? { incrs: binarySteps } : {}),
      },
    ],
    series: [
      {},
      ...labels.map((label, index) => ({
        label,
        stroke: () => colour(index),
        width: 1.5,
        points: { show: false },
      })),
    ],
  }
}

/** `12:34:56` */
function clockTime(seconds: number): string {
  return new Date(seconds * 1000).toTimeString().slice(0, 8)
}

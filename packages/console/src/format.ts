/** Numbers, sizes and times as people read them. */

const counts = new Intl.NumberFormat('en')
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** `12,345` */
export function count(value: number): string {
  return counts.format(value)
}

/** A dash for what is not known. */
export function known(value: number | null | undefined, format: (value: number) => string): string {
  return value == null ? '–' : format(value)
}

/** `1.5 MiB` */
export function bytes(value: number): string {
  let scaled = value
  let unit = 0
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024
    unit++
  }
  return `${scaled < 10 && unit > 0 ? scaled.toFixed(1) : Math.round(scaled)} ${units[unit]}`
}

/** `1.2k/s`, `17/s` */
export function rate(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}M/s`
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)}k/s`
  return `${value < 10 && value % 1 !== 0 ? value.toFixed(1) : counts.format(Math.round(value))}/s`
}

/** `3 d`, `4 h`, `5 min`, `6 s`, `7 ms` */
export function duration(ms: number): string {
  if (ms >= 2 * 86_400_000) return `${Math.round(ms / 86_400_000)} d`
  if (ms >= 2 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`
  if (ms >= 2 * 60_000) return `${Math.round(ms / 60_000)} min`
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
}

/** `2026-01-31 12:00:00.123`, in the time of the browser; -1 is none. */
export function time(timestamp: number): string {
  if (timestamp < 0) return 'no time'
  const date = new Date(timestamp)
  if (Number.isNaN(date.getTime())) return String(timestamp)
  const pad = (value: number, length = 2): string => String(value).padStart(length, '0')
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
  return `${day} ${clock}.${pad(date.getMilliseconds(), 3)}`
}

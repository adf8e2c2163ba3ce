/** Settings of a topic as people write and read them. */
import { bytes, count, duration } from './format.ts'

/** `name=value`, one a line. Throws an error that says what is wrong. */
export function settingsOf(text: string): Record<string, string> {
  const settings = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const at = line.indexOf('=')
    if (at < 1) throw new Error(`'${line.trim()}' is not name=value`)
    settings.set(line.slice(0, at).trim(), line.slice(at + 1).trim())
  }
  return Object.fromEntries(settings)
}

const longMax = 9223372036854775807n

/** What a value means, where that is not plain: `7 d`, `1.0 GiB`, `no limit`. */
export function meaningOf(name: string, value: string): string | undefined {
  const isTime = name.endsWith('.ms')
  if ((!isTime && !name.endsWith('.bytes')) || !/^-?\d{1,19}$/.test(value)) return undefined
  if (value.startsWith('-') || BigInt(value) === longMax) return 'no limit'
  return isTime ? duration(Number(value)) : bytes(Number(value))
}

/** For how long messages are kept, and how many bytes of a partition; undefined: not known. */
export function retentionText(
  ms: number | null | undefined,
  most: number | null | undefined,
): string {
  if (ms === undefined || most === undefined) return '–'
  const limits = [ms === null ? '' : duration(ms), most === null ? '' : bytes(most)]
  return limits.filter((limit) => limit !== '').join(', ') || 'for ever'
}

/** `1 message`, `12 messages` */
export function counted(value: number, singular: string, plural = `${singular}s`): string {
  return `${count(value)} ${value === 1 ? singular : plural}`
}

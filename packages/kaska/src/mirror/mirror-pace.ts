/** How fast a mirror goes, over the last seconds, and when it will have caught up. */
import type { MirrorStatus } from './mirror.ts'

/** What a speed is measured over. */
const windowMs = 10_000

interface Sample {
  readonly at: number
  readonly messages: number
  readonly bytes: number
}

export class MirrorPace {
  readonly #samples: Sample[]

  /** `startMs` is monotonic, as all times here. */
  constructor(startMs: number) {
    this.#samples = [{ at: startMs, messages: 0, bytes: 0 }]
  }

  add(atMs: number, { messages, bytes }: Pick<MirrorStatus, 'messages' | 'bytes'>): void {
    const samples = this.#samples
    samples.push({ at: atMs, messages, bytes })
    while (samples.length > 2 && atMs - (samples[1] as Sample).at >= windowMs) samples.shift()
  }

  /** Messages and bytes a second. */
  get rate(): { readonly messages: number; readonly bytes: number } {
    const first = this.#samples[0] as Sample
    const last = this.#samples.at(-1) as Sample
    const seconds = (last.at - first.at) / 1000
    if (seconds <= 0) return { messages: 0, bytes: 0 }
    return {
      messages: (last.messages - first.messages) / seconds,
      bytes: (last.bytes - first.bytes) / seconds,
    }
  }

  /** One line for people. */
  line({ messages, behind }: Pick<MirrorStatus, 'messages' | 'behind'>): string {
    const { messages: rate, bytes } = this.rate
    const speed = `${messages} messages mirrored, ${Math.round(rate)}/s, ${(bytes / 1e6).toFixed(1)} MB/s`
    if (behind === 0) return `${speed}; up to date`
    const left = rate > 0 ? `, about ${timeOf(behind / rate)} left` : ''
    return `${speed}; ${behind} behind${left}`
  }
}

/** `42 s`, `3 min 20 s`, `5 h 12 min` */
export function timeOf(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

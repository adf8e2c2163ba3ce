/** Short messages about what was done, or could not be. */
import { signal } from '@preact/signals'

interface Toast {
  readonly id: number
  readonly kind: 'done' | 'failed'
  readonly text: string
}

const toasts = signal<readonly Toast[]>([])
let nextId = 0

const shownMs = 6000

export function toast(kind: Toast['kind'], text: string): void {
  const id = nextId++
  toasts.value = [...toasts.value.slice(-4), { id, kind, text }]
  setTimeout(() => dismiss(id), shownMs)
}

/** Runs what a button does; says what came of it. Resolves with whether it was done. */
export async function attempt(what: string, action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action()
    toast('done', what)
    return true
  } catch (error) {
    toast('failed', `${what}: ${error instanceof Error ? error.message : String(error)}`)
    return false
  }
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((each) => each.id !== id)
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, kind, text }) => (
        <div key={id} class={`toast ${kind}`}>
          {text}
          <button type="button" aria-label="Dismiss" onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  )
}

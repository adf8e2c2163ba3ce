/** What may be wider than the screen, or higher than its place, and scrolls within it: with the keyboard too. */
import type { ComponentChildren } from 'preact'

interface ScrollableProps {
  readonly label: string
  readonly class?: string
  readonly children: ComponentChildren
}

export function Scrollable({ label, class: name = '', children }: ScrollableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached with the keyboard.
    <section class={`scroll ${name}`} tabIndex={0} aria-label={label}>
      {children}
    </section>
  )
}

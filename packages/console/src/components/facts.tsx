/** What there is to say about one thing: names, each with what it is. */
import type { ComponentChildren } from 'preact'
import './facts.css'

interface FactsProps {
  /** Pairs of a name and a text. */
  readonly entries: readonly (readonly string[])[]
  /** What stands behind them, as `div`s of a `dt` and a `dd`. */
  readonly children?: ComponentChildren
}

export function Facts({ entries, children }: FactsProps) {
  return (
    <dl class="about">
      {entries.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
      {children}
    </dl>
  )
}

/** What a list is narrowed down with. The key `/` leads to it from anywhere in the view; Escape empties it. */
import { useEffect, useRef } from 'preact/hooks'
import './filter-input.css'

interface FilterInputProps {
  readonly label: string
  readonly value: string
  readonly onInput: (value: string) => void
}

export function FilterInput({ label, value, onInput }: FilterInputProps) {
  const element = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return
      if (isTyping(event.target) || document.querySelector('dialog[open]') !== null) return
      event.preventDefault()
      element.current?.focus()
      element.current?.select()
    }
    addEventListener('keydown', focus)
    return () => removeEventListener('keydown', focus)
  }, [])
  return (
    <input
      ref={element}
      type="search"
      class="filter"
      aria-label={label}
      aria-keyshortcuts="/"
      placeholder={`${label}  /`}
      autocomplete="off"
      spellcheck={false}
      value={value}
      onInput={({ currentTarget }) => onInput(currentTarget.value)}
      onKeyDown={({ key }) => {
        if (key === 'Escape') onInput('')
      }}
    />
  )
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || target.matches('input, textarea, select')
}

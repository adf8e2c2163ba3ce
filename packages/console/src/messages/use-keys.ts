/** Keys of a view. */
import { useEffect, useRef } from 'preact/hooks'

/** Calls for keys that are not for what has the focus; true: it was taken. */
export function useKeys(take: (key: string) => boolean): void {
  const last = useRef(take)
  last.current = take
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return
      const target = event.target as Element
      if (target.closest('input, select, textarea, dialog') !== null) return
      const isOnControl = target.closest('button, a') !== null
      if (isOnControl && (event.key === 'Enter' || event.key === ' ')) {
        // A row's link is a row, and the focus comes to it a frame after the keys have: Enter opens the row that the
        // keys have come to, Space pauses there too.
        if (target.closest('.message-list') === null) return
      }
      if (target.closest('.shown') !== null && event.key !== 'Escape') return
      if (last.current(event.key)) event.preventDefault()
    }
    document.addEventListener('keydown', listen)
    return () => document.removeEventListener('keydown', listen)
  }, [])
}

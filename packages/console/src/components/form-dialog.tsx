/**
 * A dialog that does something: Enter or its button submits, Escape closes, and what went wrong is said in it, where it
 * can be mended.
 */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { Dialog } from './dialog.tsx'
import './form-dialog.css'

interface FormDialogProps {
  readonly title: string
  /** What the button says. */
  readonly action: string
  /** It takes something away. */
  readonly isDanger?: boolean
  /** Not yet. */
  readonly isDisabled?: boolean
  /** The dialog closes when it resolves. */
  readonly onSubmit: () => Promise<unknown>
  readonly onClose: () => void
  readonly children: ComponentChildren
}

export function FormDialog(props: FormDialogProps) {
  const { title, action, isDanger = false, isDisabled = false, onClose } = props
  const [isBusy, setBusy] = useState(false)
  const [failure, setFailure] = useState('')
  const submit = async (event: Event) => {
    event.preventDefault()
    if (isBusy || isDisabled) return
    setBusy(true)
    try {
      await props.onSubmit()
      onClose()
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error))
      setBusy(false)
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form class="dialog-form" onSubmit={submit}>
        {props.children}
        {failure !== '' && (
          <p class="bad" role="alert">
            {failure}
          </p>
        )}
        <footer class="row">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class={isDanger ? 'danger' : ''} disabled={isBusy || isDisabled}>
            {action}
          </button>
        </footer>
      </form>
    </Dialog>
  )
}

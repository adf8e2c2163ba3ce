/** Deletes a group with all that it has committed, once that was confirmed. */
import { api, part } from '../api.ts'
import { Dialog } from '../components/dialog.tsx'
import { attempt } from '../components/toasts.tsx'
import { go, href } from '../route.ts'

interface DeleteGroupProps {
  readonly group: string
  /** Only a group that nobody is in can be deleted. */
  readonly isActive: boolean
  readonly onClose: () => void
}

export function DeleteGroup({ group, isActive, onClose }: DeleteGroupProps) {
  const submit = async (event: Event) => {
    event.preventDefault()
    const isDone = await attempt(`Delete group ${group}`, () =>
      api(`/groups/${part(group)}`, { method: 'DELETE' }),
    )
    if (isDone) go(href(['groups']))
    else onClose()
  }
  return (
    <Dialog title="Delete group" onClose={onClose}>
      <form onSubmit={submit}>
        <p>
          <strong class="name">{group}</strong> and the offsets that it has committed will be gone.
          Who reads under this name afterwards starts as if for the first time.
        </p>
        {isActive && <p class="bad">It has members: stop them first.</p>}
        <div class="row end">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="danger">
            Delete the group
          </button>
        </div>
      </form>
    </Dialog>
  )
}

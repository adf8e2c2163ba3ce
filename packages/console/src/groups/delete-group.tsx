/** Deletes a group with all that it has committed, once that was confirmed. */
import { api, part } from '../api.ts'
import { FormDialog } from '../components/form-dialog.tsx'
import { toast } from '../components/toasts.tsx'
import { go, href } from '../route.ts'

interface DeleteGroupProps {
  readonly group: string
  /** Only a group that nobody is in can be deleted. */
  readonly isActive: boolean
  readonly onClose: () => void
}

export function DeleteGroup({ group, isActive, onClose }: DeleteGroupProps) {
  const submit = async () => {
    await api(`/groups/${part(group)}`, { method: 'DELETE' })
    toast('done', `Group ${group} was deleted`)
    go(href(['groups']))
  }
  return (
    <FormDialog
      title="Delete group"
      action="Delete the group"
      isDanger
      isDisabled={isActive}
      onSubmit={submit}
      onClose={onClose}
    >
      <p>
        <strong class="name">{group}</strong> and the offsets that it has committed will be gone.
        Who reads under this name afterwards starts as if for the first time.
      </p>
      {isActive && <p class="bad">It has members: stop them first.</p>}
    </FormDialog>
  )
}

/** The settings of a topic: which were set, which have their defaults, and what each does. */
import { useState } from 'preact/hooks'
import { meaningOf } from '../settings-text.ts'
import { FilterInput } from './filter-input.tsx'
import {
  changeSetting,
  defaultText,
  SettingDialog,
  SettingDoc,
  type TopicSetting,
} from './setting-dialog.tsx'
import { toast } from './toasts.tsx'

interface TopicSettingsProps {
  readonly topic: string
  readonly config: readonly TopicSetting[]
  readonly onChanged: () => void
}

export function TopicSettings({ topic, config, onChanged }: TopicSettingsProps) {
  const [filter, setFilter] = useState('')
  const [edited, setEdited] = useState<TopicSetting | undefined>(undefined)
  const text = filter.trim().toLowerCase()
  const shown = config.filter(({ name, doc = '' }) => `${name} ${doc}`.toLowerCase().includes(text))
  const reset = async (name: string) => {
    try {
      await changeSetting(topic, name, null)
      onChanged()
    } catch (error) {
      toast('failed', (error as Error).message)
    }
  }
  return (
    <section class="panel">
      <h2>Settings</h2>
      <div class="row tools">
        <FilterInput label="Filter settings" value={filter} onInput={setFilter} />
      </div>
      <table class="settings" aria-label="Settings">
        <thead>
          <tr>
            <th scope="col">Setting</th>
            <th scope="col">Value</th>
            <th scope="col">Actions</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((setting) => (
            <tr key={setting.name}>
              <th scope="row">
                <span class="mono">{setting.name}</span>
                <p class="quiet">
                  <SettingDoc text={setting.doc ?? ''} />
                </p>
              </th>
              <td>
                <Value setting={setting} />
              </td>
              <td class="row-actions">
                <button
                  type="button"
                  aria-label={`Edit ${setting.name}`}
                  onClick={() => setEdited(setting)}
                >
                  Edit
                </button>
                {!setting.isDefault && (
                  <button
                    type="button"
                    aria-label={`Reset ${setting.name}`}
                    onClick={() => void reset(setting.name)}
                  >
                    Reset
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {edited !== undefined && (
        <SettingDialog
          topic={topic}
          setting={edited}
          onClose={() => setEdited(undefined)}
          onDone={onChanged}
        />
      )}
    </section>
  )
}

function Value({ setting }: { readonly setting: TopicSetting }) {
  const { name, value, isDefault, defaultValue } = setting
  const meaning = meaningOf(name, value)
  return (
    <>
      <span class={isDefault ? 'mono' : 'mono is-set'}>{value === '' ? '(empty)' : value}</span>
      {meaning !== undefined && <span class="quiet meaning">{meaning}</span>}
      <span class={isDefault ? 'tag' : 'tag is-set'}>{isDefault ? 'default' : 'set'}</span>
      {!isDefault && defaultValue !== undefined && (
        <p class="quiet">{defaultText(name, defaultValue)}</p>
      )}
    </>
  )
}

/** What leaves the page: to the clipboard, or into a file. */
import { messageToJson, type StoredMessage } from '@kaska/protocol'
import { toast } from '../components/toasts.tsx'

export async function copyText(text: string, what: string): Promise<void> {
  try {
    // Only where the page came over TLS, or from this machine.
    if (navigator.clipboard !== undefined) await navigator.clipboard.writeText(text)
    else copyFromField(text)
    toast('done', `${what} copied`)
  } catch (error) {
    toast('failed', `${what} not copied: ${(error as Error).message}`)
  }
}

function copyFromField(text: string): void {
  const field = document.createElement('textarea')
  field.value = text
  document.body.append(field)
  field.select()
  const isCopied = document.execCommand('copy')
  field.remove()
  if (!isCopied) throw new Error('the browser does not allow it')
}

/** A file of JSON lines, as `kaska consume --json` writes them and `kaska produce --json` reads them. */
export function saveJsonLines(topic: string, messages: Iterable<StoredMessage>): void {
  const lines: string[] = []
  for (const message of messages) lines.push(messageToJson(message), '\n')
  const url = URL.createObjectURL(new Blob(lines, { type: 'application/x-ndjson' }))
  const link = document.createElement('a')
  link.href = url
  link.download = `${topic.replace(/[^\p{L}\p{N}._-]+/gu, '_').slice(0, 80)}.jsonl`
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** The message that the address says is open: from the list where it is there, else asked for. */
import type { StoredMessage } from '@kaska/protocol'
import { useEffect, useState } from 'preact/hooks'
import { fetchMessage } from './read-topic.ts'

export interface Opened {
  readonly message: StoredMessage | undefined
  /** Why there is none. */
  readonly error: string
}

/** `place` is `partition:offset`; '' is none. `known`, where it is that message, need not be asked for. */
export function useOpened(topic: string, place: string, known: StoredMessage | undefined): Opened {
  const [opened, setOpened] = useState<Opened>({ message: undefined, error: '' })
  useEffect(() => {
    const [, partition, offset] = /^(\d{1,9}):(\d{1,16})$/.exec(place) ?? []
    if (partition === undefined) {
      setOpened({ message: undefined, error: '' })
      return undefined
    }
    if (placeOf(known) === place) {
      setOpened({ message: known, error: '' })
      return undefined
    }
    const aborter = new AbortController()
    fetchMessage(topic, Number(partition), Number(offset), aborter.signal).then(
      (message) => setOpened({ message, error: '' }),
      (error) => {
        if (!aborter.signal.aborted) setOpened({ message: undefined, error: error.message })
      },
    )
    return () => aborter.abort()
  }, [topic, place, known])
  return opened
}

export function placeOf(message: StoredMessage | undefined): string {
  return message === undefined ? '' : `${message.partition}:${message.offset}`
}

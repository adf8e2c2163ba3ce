/** A feed for as long as a view is shown, which is drawn again when the feed has changed: at most once a frame. */
import { useEffect, useReducer, useRef, useState } from 'preact/hooks'
import { MessageFeed } from './message-feed.ts'
import { openReader } from './read-topic.ts'
import { type StartAt, startToText } from './start-at.ts'

export type FeedStart = StartAt | ReadonlyMap<number, number>

/** Undefined where `isOn` is false, and at first. */
export function useFeed(
  topic: string,
  partition: number | undefined,
  start: FeedStart,
  isOn: boolean,
  attempt: number,
): MessageFeed | undefined {
  const [feed, setFeed] = useState<MessageFeed>()
  const redraw = useRedraw()
  const startKey = start instanceof Map ? [...start].join() : startToText(start as StartAt)
  useEffect(() => {
    if (!isOn) return undefined
    const made = new MessageFeed({
      open: (signal) => openReader(topic, partition, start, signal),
      changed: redraw,
    })
    setFeed(made)
    return () => {
      made.end()
      setFeed(undefined)
    }
  }, [topic, partition, startKey, isOn, attempt])
  return feed
}

/** Draws again before the next frame, however often it is called. */
export function useRedraw(): () => void {
  const [, turn] = useReducer((count: number, _: null) => count + 1, 0)
  const frame = useRef(0)
  useEffect(() => () => cancelAnimationFrame(frame.current), [])
  return () => {
    cancelAnimationFrame(frame.current)
    frame.current = requestAnimationFrame(() => turn(null))
  }
}

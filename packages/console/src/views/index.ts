/** Which view is at which path. */
import type { ComponentType } from 'preact'
import { Connections } from './connections.tsx'
import { Group } from './group.tsx'
import { Groups } from './groups.tsx'
import { Messages } from './messages.tsx'
import { NotFound } from './not-found.tsx'
import { Overview } from './overview.tsx'
import { Produce } from './produce.tsx'
import { Topic } from './topic.tsx'
import { Topics } from './topics.tsx'

/**
 *     /                          overview
 *     /topics                    all topics
 *     /topics/NAME               one: partitions, settings
 *     /topics/NAME/messages      its messages
 *     /topics/NAME/produce       send to it
 *     /groups, /groups/NAME      who reads, and how far
 *     /connections               who is connected
 */
export function views([first, name, third]: readonly string[]): ComponentType {
  switch (first) {
    case undefined:
      return Overview
    case 'topics':
      if (name === undefined) return Topics
      if (third === undefined) return Topic
      if (third === 'messages') return Messages
      return third === 'produce' ? Produce : NotFound
    case 'groups':
      return name === undefined ? Groups : Group
    case 'connections':
      return Connections
    default:
      return NotFound
  }
}

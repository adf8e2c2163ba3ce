/**
 * How far a partition is mirrored.
 *
 *   unplaced --> active --> done       `--once`: all is there that was to be copied
 *      ^           |
 *      +-----------+                   a send failed: the place is read back from the target
 *      |           |
 *      +--> failed <--                 nobody can go on but a person
 *
 *   source   0 ........ position ............. asked ............ end
 *            acknowledged by the target        built, or polled
 */
import type { TopicId } from '@kaska/protocol'

export const attemptPauseMs = 100
const attemptsMax = 20

export interface MirrorTopic {
  readonly name: string
  readonly source: TopicId
  readonly target: TopicId
  /** What the records of a batch for the target may take. */
  readonly batchBytesMax: number
}

/** A committed offset of the source that was carried over. */
export interface Carried {
  readonly offset: number
  /** What the mirror has committed for it; undefined where the target's own stayed. */
  readonly there: number | undefined
  /** Was all mirrored that lies before it? */
  readonly isWhole: boolean
}

export class MirrorPartition {
  readonly topic: MirrorTopic
  readonly partition: number
  state: 'unplaced' | 'active' | 'done' | 'failed' = 'unplaced'
  /** What is behind it in the source is not acknowledged by the target. */
  position = 0
  /** The source's offset to ask for next. */
  asked = 0
  /** The leader epoch of the batch before `asked`, where it was seen. */
  askedEpoch: number | undefined
  /** Counts the times it was placed: an answer to what was asked before is thrown away. */
  generation = 0
  /** The source's end as it was seen last; where `once` ends. */
  sourceEnd = 0
  goal = Number.MAX_SAFE_INTEGER
  /** The offset behind the target's last acknowledged message. */
  targetEnd = 0
  /** The sequence number of the next message. */
  sequence = 0
  /** Is the first batch from this place still to be read back? */
  isUnsure = true
  /** The target's end at which the target did not know the mirror's numbers any more. */
  forgottenAt: number | undefined
  /** What failed, and sends out of order, since the last acknowledgement; when it may go on. */
  attempts = 0
  disorders = 0
  notBefore = 0
  /** Messages that were deleted at the source before they were mirrored. */
  missed = 0
  /** The target's end when the place was noted, and when that was. */
  noted: { readonly end: number; readonly at: number } | undefined
  /** What was carried over last, by the group's name. */
  readonly carried = new Map<string, Carried>()

  constructor(topic: MirrorTopic, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get label(): string {
    return `${this.topic.name}/${this.partition}`
  }

  /** Its place is to be read back, in a while: longer and longer until something is acknowledged. */
  waitAndPlace(now: number): void {
    this.state = 'unplaced'
    this.attempts = Math.min(this.attempts + 1, attemptsMax)
    this.notBefore = now + attemptPauseMs * this.attempts
  }

  /** The target has acknowledged all before this offset of the source. */
  acknowledge(position: number): void {
    this.position = Math.max(this.position, position)
    if (this.position >= this.goal) this.state = 'done'
  }

  /** Are there messages to come, as far as is known? */
  get behind(): number {
    if (this.state === 'failed') return 0
    return Math.max(0, Math.min(this.sourceEnd, this.goal) - this.position)
  }
}

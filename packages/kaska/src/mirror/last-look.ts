/**
 * What a mirror does at its end: it notes where it stands, carries committed offsets once more, and
 * looks for messages of somebody else behind its own. Before a cut-over nobody is to use either side any
 * more: the source is watched for a while, and whatever shows that somebody does is a failure.
 */
import type { Clock, Engine } from '@kaska/protocol'
import { forEachAtOnce, MirrorError, type Patience, patiently, pause, textOf } from './asking.ts'
import type { GroupCarrier } from './group-carrier.ts'
import { listTopics } from './mirror-topics.ts'
import type { PartitionTable } from './partition-table.ts'
import type { Placement } from './placement.ts'

/** How long it may take once the mirror was told to stop. */
const stoppedMsMax = 15_000
/** How long nobody may have written to the source before a cut-over. */
const quietMs = 1000

export interface LastLookOptions {
  readonly source: Engine
  readonly target: Engine
  readonly mode: 'follow' | 'once' | 'cut-over'
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly isWanted: (topic: string) => boolean
  readonly report: (line: string) => void
  readonly table: PartitionTable
  readonly placement: Placement
  readonly carrier: GroupCarrier
}

/** What was to be reached. */
export interface MirrorGoal {
  /** When the ends of the source were read. */
  readonly goalAt: number
  /** The source's topics at that time, by name. */
  readonly topics: ReadonlyMap<string, { readonly id: string; readonly partitions: number }>
}

/** Always resolves: what is wrong is told, and counted in the table. */
export async function lookLast(options: LastLookOptions, goal: MirrorGoal): Promise<void> {
  const { clock, report, signal, mode, table, placement, carrier } = options
  const ending = new AbortController()
  let timer: { cancel(): void } | undefined
  const limit = (): void => {
    timer = clock.after(stoppedMsMax, () => ending.abort(new MirrorError('it took too long')))
  }
  if (signal.aborted) limit()
  else signal.addEventListener('abort', limit, { once: true })
  const patience = { clock, report, signal: ending.signal }
  try {
    await checkTarget(options, patience)
    await placement.note(table.live, patience)
    await carrier.carry(patience, true)
    if (mode === 'cut-over' && !signal.aborted) {
      await checkSource(options, goal, { ...patience, signal })
      await carrier.check({ ...patience, signal })
      await checkTarget(options, { ...patience, signal })
    }
  } catch (error) {
    table.warn(`the last look failed: ${textOf(error)}`)
  } finally {
    signal.removeEventListener('abort', limit)
    timer?.cancel()
  }
}

/** Has somebody else written to the target? */
async function checkTarget({ target, table }: LastLookOptions, patience: Patience): Promise<void> {
  const placed = table.live.filter(({ state }) => state !== 'unplaced')
  await forEachAtOnce(placed, async (each) => {
    try {
      const { endOffset } = await patiently(patience, (context) =>
        target.offsets(each.topic.target, each.partition, context),
      )
      if (endOffset <= each.targetEnd) return
      table.fail(
        each,
        `somebody else writes to the target: it ends at ${endOffset} instead of ${each.targetEnd}`,
      )
    } catch (error) {
      if (patience.signal.aborted) throw error
      table.fail(each, `the target: ${textOf(error)}`)
    }
  })
}

/** Does anybody still write to the source? */
async function checkSource(
  { clock, signal, source, isWanted, table }: LastLookOptions,
  { goalAt, topics }: MirrorGoal,
  patience: Patience,
): Promise<void> {
  await pause(clock, Math.max(0, goalAt + quietMs - clock.monotonic()), signal)
  for (const { name, id, partitions } of await listTopics(source, isWanted, patience)) {
    const known = topics.get(name)
    if (known?.id === id && known.partitions === partitions) continue
    table.warn(`${name} was made or changed at the source a moment ago; cut over again`)
  }
  await forEachAtOnce(table.live, async (each) => {
    const { endOffset } = await patiently(patience, (context) =>
      source.offsets(each.topic.source, each.partition, context),
    )
    if (endOffset <= each.goal) return
    table.warn(
      `${each.label}: somebody still writes to the source: it grew by ${endOffset - each.goal} since the start; stop the producers, and cut over again`,
    )
  })
}

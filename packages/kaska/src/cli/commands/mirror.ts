/** `kaska mirror`: topics from one broker or cluster to another, and `--verify`. */
import { type Client, connect, createNodeHost } from '@kaska/client'
import { KaskaError } from '@kaska/protocol'
import type { Command } from 'commander'
import { createCodecs } from '../../host/codecs.ts'
import { loadCrc32c } from '../../host/crc32c.ts'
import { nodeClock } from '../../host/node-clock.ts'
import type { Terminal } from '../../host/terminal.ts'
import { Mirror, type MirrorOptions, type MirrorStatus } from '../../mirror/mirror.ts'
import { MirrorPace } from '../../mirror/mirror-pace.ts'
import { createTopicFilter } from '../../mirror/topic-pattern.ts'
import { type PartitionVerdict, verifyTopics } from '../../mirror/verify.ts'
import { count } from '../count.ts'
import { CommandError, oneLine, UsageError } from '../failure.ts'
import { parseTimestamp } from '../offset-range.ts'
import { Progress } from '../progress.ts'
import { writeTable } from '../table.ts'

interface MirrorCommandOptions {
  readonly from: string
  readonly to: string
  readonly topic?: readonly string[]
  readonly group?: readonly string[]
  readonly setting?: readonly (readonly [string, string])[]
  readonly once?: true
  readonly cutOver?: true
  readonly verify?: true
  readonly since?: string
}

/** How often progress is said where nobody sees a line that changes. */
const sayIntervalMs = 10_000
const showIntervalMs = 500

export async function mirror(command: Command, terminal: Terminal): Promise<void> {
  const options = command.opts<MirrorCommandOptions>()
  const since = options.since === undefined ? undefined : readSince(options.since)
  if (since !== undefined && options.verify !== true) {
    throw new UsageError('--since is for --verify', 'a mirror goes on where the target ends')
  }
  const signal = terminal.stopSignal()
  const host = createNodeHost()
  host.keepAlive.hold()
  const clients: Client[] = []
  try {
    for (const url of [options.from, options.to]) {
      clients.push(await connect(url, { clientId: 'kaska-mirror', signal }))
    }
    const [source, target] = clients as [Client, Client]
    const sides = {
      source: source.engine,
      target: target.engine,
      clock: nodeClock,
      codecs: createCodecs(),
      isWanted: createTopicFilter(options.topic ?? []),
      signal,
      report: (line: string) => terminal.say(`kaska: ${oneLine(line)}`),
    }
    if (options.verify === true) await verify(sides, since, terminal)
    else await copy(sides, options, terminal)
  } catch (error) {
    if (signal.aborted && !(error instanceof CommandError)) {
      throw new CommandError('it was stopped before its end')
    }
    throw error
  } finally {
    await Promise.all(clients.map((client) => client.close()))
    host.keepAlive.release()
  }
}

type Sides = Omit<ConstructorParameters<typeof Mirror>[0], 'settings' | 'groups' | 'mode'>

async function copy(
  sides: Sides,
  options: MirrorCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const pace = new MirrorPace(nodeClock.monotonic())
  let shownMs = nodeClock.monotonic()
  const mode = modeOf(options)
  const isFollowing = mode === 'follow'
  let wasLevel = false
  const run = new Mirror({
    ...sides,
    settings: new Map(options.setting ?? []),
    groups: options.group ?? [],
    mode,
    progress: (status) => {
      const now = nodeClock.monotonic()
      pace.add(now, status)
      if (isFollowing && !wasLevel && status.topics > 0 && status.behind === 0) {
        wasLevel = true
        terminal.say(`${pace.line(status)}; following until Ctrl-C`)
      }
      if (now - shownMs < (terminal.isWatched ? showIntervalMs : sayIntervalMs)) return
      shownMs = now
      const line = pace.line(status)
      if (terminal.isWatched) terminal.showProgress(line)
      else terminal.say(line)
    },
  })
  const status = await run.run()
  terminal.clearProgress()
  terminal.say(summaryOf(status))
  if (status.topics === 0) throw new CommandError('no topic matches', 'see `kaska topic list`')
  if (status.missed > 0) {
    throw new CommandError(`${status.missed} offsets were deleted at the source before their turn`)
  }
  if (status.failures > 0) {
    throw mode === 'cut-over'
      ? new CommandError('not cut over: see above', 'the programs are to stay where they are')
      : new CommandError('not everything is mirrored: see above')
  }
  if (isFollowing) return
  if (status.behind > 0 || (mode === 'cut-over' && sides.signal.aborted)) {
    throw new CommandError('it was stopped before its end', 'start it again, and it goes on')
  }
  if (mode === 'cut-over') terminal.say('Cut over: start the programs with the new address.')
}

function modeOf({ once, cutOver }: MirrorCommandOptions): MirrorOptions['mode'] {
  if (cutOver === true) return 'cut-over'
  return once === true ? 'once' : 'follow'
}

function summaryOf({ topics, partitions, messages, bytes, behind }: MirrorStatus): string {
  const megabytes = (bytes / 1e6).toFixed(1)
  const where = `${count(topics, 'topic')}, ${count(partitions, 'partition')}`
  return `Mirrored ${count(messages, 'message')} (${megabytes} MB); ${where}, ${count(behind, 'message')} behind.`
}

/** `2h` is two hours ago. */
function readSince(text: string): number {
  const nowMs = nodeClock.now()
  const time = parseTimestamp(text, nowMs) ?? parseTimestamp(`-${text}`, nowMs)
  if (time !== undefined) return time
  throw new UsageError(`--since is a time such as 2h or 2026-01-31T12:00, not '${text}'`)
}

async function verify(sides: Sides, since: number | undefined, terminal: Terminal): Promise<void> {
  const { output } = terminal
  const progress = new Progress(terminal, 'compared')
  const verdicts: PartitionVerdict[] = []
  try {
    await verifyTopics(
      {
        ...sides,
        ...(since === undefined ? {} : { since }),
        crc32c: loadCrc32c(),
        progress: (messages) => progress.show(messages, 0),
      },
      (verdict) => verdicts.push(verdict),
    )
  } catch (error) {
    if (!(error instanceof KaskaError)) throw error
    throw new CommandError(`the comparison failed: ${error.message}`, undefined, { cause: error })
  }
  terminal.clearProgress()
  const different = verdicts.filter(({ difference }) => difference !== undefined)
  const rows = verdicts.map(({ topic, partition, source, target, difference }) => [
    `${oneLine(topic)}/${partition}`,
    String(source.messages),
    source.checksum,
    String(target.messages),
    target.checksum,
    difference === undefined ? 'same' : 'DIFFERENT',
  ])
  const head = ['PARTITION', 'SOURCE', 'CHECKSUM', 'TARGET', 'CHECKSUM', 'RESULT']
  writeTable(head, rows.sort(byFirst), output)
  await output.send()
  for (const { topic, partition, difference } of different) {
    terminal.say(`kaska: ${oneLine(`${topic}/${partition}: ${difference}`)}`)
  }
  if (verdicts.length === 0) throw new CommandError('no topic matches', 'see `kaska topic list`')
  if (different.length > 0) {
    throw new CommandError(`${different.length} of ${count(verdicts.length, 'partition')} differ`)
  }
}

function byFirst([one = '']: readonly string[], [other = '']: readonly string[]): number {
  return one < other ? -1 : one > other ? 1 : 0
}

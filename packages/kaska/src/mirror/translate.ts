/**
 * Committed offsets, by position: whoever was about to read a message at the source is about to read the
 * same one at the target. The target's messages say where they came from, so the place is found by
 * looking at a few of them.
 *
 * A group never goes back at the target: what it has committed there itself stays.
 */
import type { Codecs, Engine, RequestContext } from '@kaska/protocol'
import type { MirrorPartition } from './mirror-partition.ts'
import { readOrigin } from './target-place.ts'

export interface TranslationOptions {
  readonly source: Engine
  readonly target: Engine
  readonly codecs: Codecs
  readonly context: RequestContext
  readonly group: string
}

/** The source's offset that is translated now; undefined where there is nothing to do. */
export async function translateOffset(
  options: TranslationOptions,
  each: MirrorPartition,
): Promise<number | undefined> {
  const { source, target, context, group } = options
  const { topic, partition } = each
  const offset = await source.committed(group, topic.source, partition, context)
  if (offset === undefined || offset === each.translated.get(group)) return undefined
  const translated = await targetOffsetOf(options, each, offset)
  const there = await target.committed(group, topic.target, partition, context)
  if (there === undefined || there < translated) {
    const entry = { topic: topic.target, partition, offset: translated }
    await target.commit(group, [entry], context)
  }
  // What is not mirrored yet is translated again.
  return offset <= each.position ? offset : undefined
}

/** The offset of the first message at the target that came from this offset or from behind it. */
async function targetOffsetOf(
  { target, codecs, context }: TranslationOptions,
  each: MirrorPartition,
  offset: number,
): Promise<number> {
  const { topic, partition, targetEnd } = each
  if (offset >= each.position) return targetEnd
  const { startOffset } = await target.offsets(topic.target, partition, context)
  let low = startOffset
  let high = targetEnd
  // Where no offset is left out at the source, the first guess is right.
  let guess = targetEnd - (each.position - offset)
  while (low < high) {
    const middle = Math.min(Math.max(guess, low), high - 1)
    const found = await readOrigin(target, topic.target, partition, middle, codecs, context)
    if (found === undefined || found.offset >= high) high = middle
    else if (found.origin === undefined || found.origin.offset < offset) low = found.offset + 1
    else if (found.origin.offset === offset) return found.offset
    else high = middle
    guess = Math.floor((low + high) / 2)
  }
  return low
}

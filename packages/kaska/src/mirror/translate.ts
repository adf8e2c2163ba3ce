/**
 * Committed offsets, by position: whoever was about to read a message at the source is about to read the
 * same one at the target. The target's messages say where they came from, so the place is found by
 * looking at a few of them.
 *
 * What a group has committed further at the target itself stays: nobody but this mirror takes it back there,
 * and only what it has committed there itself.
 */
import type { Codecs, Engine, RequestContext } from '@kaska/protocol'
import type { Carried, MirrorPartition } from './mirror-partition.ts'
import { findOrigin } from './target-place.ts'

export interface TranslationOptions {
  readonly source: Engine
  readonly target: Engine
  readonly codecs: Codecs
  readonly context: RequestContext
}

/** What is carried over now; undefined where there is nothing to do, or not all is there yet. */
export async function translateOffset(
  options: TranslationOptions,
  group: string,
  each: MirrorPartition,
): Promise<Carried | undefined> {
  const { source, target, context } = options
  const { topic, partition } = each
  const offset = await source.committed(group, topic.source, partition, context)
  const before = each.carried.get(group)
  if (offset === undefined || (offset === before?.offset && before.isWhole)) return undefined
  const isWhole = offset <= each.position
  const translated = await targetOffsetOf(options, each, offset)
  const there = await target.committed(group, topic.target, partition, context)
  if (
    there !== translated &&
    (there === undefined || there < translated || there === before?.there)
  ) {
    const entry = { topic: topic.target, partition, offset: translated }
    await target.commit(group, [entry], context)
    return { offset, there: translated, isWhole }
  }
  return { offset, there: there === translated ? there : undefined, isWhole }
}

/** The offset of the first message at the target that came from this offset or from behind it. */
export async function targetOffsetOf(
  { target, codecs, context }: TranslationOptions,
  each: MirrorPartition,
  offset: number,
): Promise<number> {
  const { topic, partition, targetEnd, position } = each
  if (offset >= position) return targetEnd
  const { startOffset } = await target.offsets(topic.target, partition, context)
  const where = { topic: topic.target, partition, startOffset, endOffset: targetEnd }
  // Where no offset is left out at the source, the guess is right.
  return await findOrigin(target, where, offset, targetEnd - (position - offset), codecs, context)
}

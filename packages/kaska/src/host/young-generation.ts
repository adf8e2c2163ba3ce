/**
 * Short pauses instead of rare ones (docs/decisions/0027-a-small-young-generation.md): the part of the heap in which
 * objects are made stays as large as it is now, some MiB, and is collected often, in tenths of a millisecond. V8
 * would let it grow to many times that, and stop everything for 2 to 10 ms, once or twice a second.
 */
import v8 from 'node:v8'

/** For a process that is a broker and nothing else: it is the whole process's heap. */
export function keepYoungGenerationSmall(): void {
  // It is read whenever the young generation might grow, so it takes effect in a running process.
  v8.setFlagsFromString('--semi-space-growth-factor=1')
}

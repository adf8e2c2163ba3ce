/**
 * Which partition a key belongs to, as Kafka's default partitioner has it: murmur2 with Kafka's seed,
 * made positive, modulo the number of partitions. A key keeps its partition when its messages move
 * between Kaska and Kafka, and whatever client sends them.
 */

/** The partition of a key, 0 to `partitions` - 1. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/** MurmurHash2, 32 bits, little-endian, seed 0x9747b28c (as Kafka's clients use it). */
export function murmur2(bytes: Uint8Array): number {
  const m = 0x5bd1e995
  const length = bytes.length
  let hash = 0x9747b28c ^ length
  let position = 0
  for (; length - position >= 4; position += 4) {
    let word =
      (bytes[position] as number) |
      ((bytes[position + 1] as number) << 8) |
      ((bytes[position + 2] as number) << 16) |
      ((bytes[position + 3] as number) << 24)
    word = Math.imul(word, m)
    word ^= word >>> 24
    hash = Math.imul(hash, m) ^ Math.imul(word, m)
  }
  const left = length - position
  if (left >= 3) hash ^= (bytes[position + 2] as number) << 16
  if (left >= 2) hash ^= (bytes[position + 1] as number) << 8
  if (left >= 1) hash = Math.imul(hash ^ (bytes[position] as number), m)
  hash ^= hash >>> 13
  hash = Math.imul(hash, m)
  return hash ^ (hash >>> 15)
}

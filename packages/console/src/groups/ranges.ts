/** `0–3, 7`: the numbers of partitions as people write them. */
export function ranges(numbers: readonly number[]): string {
  const parts: string[] = []
  const sorted = [...numbers].sort((a, b) => a - b)
  let first: number | undefined
  sorted.forEach((number, index) => {
    first ??= number
    if (sorted[index + 1] === number + 1) return
    parts.push(first === number ? `${number}` : `${first}–${number}`)
    first = undefined
  })
  return parts.join(', ')
}

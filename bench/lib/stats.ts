/** Numbers made of many measurements. */

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** `share` of the values are at most this large. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** The median of the quotients of measurements that were made one after the other. */
export function pairedRatio(above: readonly number[], below: readonly number[]): number {
  return median(above.map((value, index) => value / (below[index] ?? Number.NaN)))
}

/** Figures as they stand in tables. */

export function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

/** Milliseconds out of microseconds. */
export function ms(micros: number): string {
  return (micros / 1000).toFixed(micros < 10_000 ? 2 : 0)
}

/** What a load filled. */
export function full(load: { busy: number; syncs: number; driverBusy?: number }): string {
  const parts = [`loop ${percent(load.busy)}`]
  if (load.syncs > 0) parts.push(`${load.syncs.toFixed(1)} syncs at once`)
  if (load.driverBusy !== undefined) parts.push(`the driver’s loop ${percent(load.driverBusy)}`)
  return parts.join(', ')
}

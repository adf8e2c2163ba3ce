/** Which of some names somebody may have meant who wrote one that there is not. */

/** Those of `names` that look most like `name`, the nearest first; at most `countMax`. A name of any
 * length costs little. */
export function nearNames(name: string, names: readonly string[], countMax = 3): string[] {
  const wanted = name.toLowerCase()
  const near: { readonly known: string; readonly distance: number }[] = []
  for (const known of names) {
    const farMax = known.length / 2
    // As many characters have to be put in, or taken out, at least.
    if (Math.abs(known.length - wanted.length) > farMax) continue
    const distance = distanceOf(wanted, known)
    if (distance <= farMax) near.push({ known, distance })
  }
  near.sort((a, b) => a.distance - b.distance)
  return near.slice(0, countMax).map(({ known }) => known)
}

/** How many characters have to be put in, taken out or replaced to make one of the other. */
function distanceOf(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[to.length] as number
}

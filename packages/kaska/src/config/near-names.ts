/** Which of some names somebody may have meant who wrote one that there is not. */

/** Those of `names` that look most like `name`, the nearest first; at most `countMax`. */
export function nearNames(name: string, names: readonly string[], countMax = 3): string[] {
  // Nobody misspells a name by more than that, and the work is bounded.
  const wanted = name.slice(0, 100).toLowerCase()
  const ranked = names.map((known) => ({ known, distance: distanceOf(wanted, known) }))
  ranked.sort((a, b) => a.distance - b.distance)
  const near = ranked.filter(({ known, distance }) => distance <= known.length / 2)
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

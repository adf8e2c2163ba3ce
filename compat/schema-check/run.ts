/**
 * Compares our schemas of Kafka's messages with Kafka's own, in both ways:
 *
 *     npm run compat:schemas [-- SEED]
 *
 * 1. the definitions in the released jars: every field of every version that we have, its place, type,
 *    null, tag and default, and which versions are flexible;
 * 2. the bytes that Kafka's Java classes make of random messages, with headers, and its error codes.
 *
 * Prints what Kafka has that we lack. Exits with 1 if anything differs; a part that cannot run here says
 * why, and is no failure.
 */
import process from 'node:process'
import { SkippedError } from '../lib/maven.ts'
import { checkBytes } from './bytes.ts'
import { checkDefinitions } from './check-definitions.ts'

type Print = (line: string) => void
const shownMax = 20
const seed = Number(process.argv[2] ?? Date.now() % 1_000_000)
const parts = {
  definitions: checkDefinitions,
  bytes: (print: Print) => checkBytes(print, seed),
}

for (const [name, check] of Object.entries(parts)) {
  console.log(`== ${name}`)
  try {
    const differences = check((line) => console.log(line))
    for (const difference of differences.slice(0, shownMax)) {
      console.log(`DIFFERS ${difference.slice(0, 1000)}`)
    }
    if (differences.length > shownMax) console.log(`and ${differences.length - shownMax} more`)
    if (differences.length > 0) process.exitCode = 1
  } catch (error) {
    if (!(error instanceof SkippedError)) throw error
    console.log(`skipped: ${error.message}`)
  }
}

/**
 * Runs simulations and prints what they came to. Exits with 1 when one fails.
 *
 *     npm run sim                           the seeds of seeds.txt, then 100 from 1 on
 *     npm run sim -- --seeds 1000 --from 1  these
 *     npm run sim -- --seed 4711            one, with all that happened in it
 *       --sends    with every send
 *       --bail     no further than the first that fails
 *       --short    cut to 1.5 simulated seconds, as the tests have it
 */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { type Outcome, simulate } from './simulation.ts'

/** Seeds that failed once: replayed before all others. */
export function knownSeeds(): number[] {
  const text = readFileSync(new URL('seeds.txt', import.meta.url), 'utf8')
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map(Number)
}

/** How long the runs of the tests last at most. */
export const shortMs = 1500

/** What a failed run has to say for itself. */
export function describeFailure({ failure, log, plan }: Outcome): string {
  const lines = log.slice(-40)
  return [
    `seed ${plan.seed} (sync ${plan.sync}) failed: ${failure?.stack}`,
    ...lines.map((line) => `    ${line}`),
    `replay it: npm run sim -- --seed ${plan.seed}`,
  ].join('\n')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      from: { type: 'string', default: '1' },
      sends: { type: 'boolean', default: false },
      short: { type: 'boolean', default: false },
      bail: { type: 'boolean', default: false },
    },
  })
  const from = Number(values.from)
  const seeds = Array.from({ length: Number(values.seeds ?? 100) }, (_, index) => from + index)
  const chosen =
    values.seed !== undefined
      ? [Number(values.seed)]
      : values.seeds === undefined
        ? [...knownSeeds(), ...seeds]
        : seeds
  const failed: number[] = []
  const totals: Record<string, number> = {}
  for (const seed of chosen) {
    const outcome = await simulate(seed, {
      tracesSends: values.sends,
      ...(values.short ? { durationMsMax: shortMs } : {}),
    })
    if (values.seed !== undefined) {
      process.stdout.write(`${JSON.stringify(outcome.plan, undefined, 2)}\n`)
      process.stdout.write(`${outcome.log.join('\n')}\n`)
    }
    for (const [name, count] of Object.entries(outcome.counts)) {
      totals[name] = (totals[name] ?? 0) + count
    }
    if (outcome.failure === undefined) continue
    failed.push(seed)
    process.stdout.write(`${describeFailure(outcome)}\n`)
    if (values.bail) break
  }
  process.stdout.write(`${JSON.stringify(totals)}\n`)
  const verdict = failed.length === 0 ? 'all sound' : `failed: ${failed.join(' ')}`
  process.stdout.write(`${chosen.length} runs, ${verdict}\n`)
  process.exitCode = failed.length === 0 ? 0 : 1
}

if (import.meta.main) await main()

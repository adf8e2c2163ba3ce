/**
 * The long form of crash-kill.test.ts:
 *
 *     npm run crash -- --rounds 200 --sync os --acknowledgements 5000 --seed 7
 */
import process from 'node:process'
import { parseArgs } from 'node:util'
import { temporaryDirectory } from './cli-process.ts'
import { crashRounds } from './crash-rounds.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    sync: { type: 'string', default: 'always' },
    acknowledgements: { type: 'string', default: '1000' },
    seed: { type: 'string' },
  },
})
await using directory = await temporaryDirectory()
const result = await crashRounds({
  data: directory.path,
  sync: values.sync === 'os' ? 'os' : 'always',
  rounds: Number(values.rounds),
  acknowledgementsMax: Number(values.acknowledgements),
  ...(values.seed === undefined ? {} : { seed: Number(values.seed) }),
  progress: (line) => process.stdout.write(`${line}\n`),
})
process.stdout.write(`sound: ${JSON.stringify(result)}\n`)

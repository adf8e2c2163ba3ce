/**
 * What one broker carries before something gives way, and which gauge shows it coming: docs/operations.md and
 * docs/scaling.md rest on these figures. Each part is in bench/capacity/; what lies idle is the memory suite's.
 */
import { measureConnections } from './capacity/connections.ts'
import { measureDisk } from './capacity/disk.ts'
import { measureFanOut } from './capacity/fan-out.ts'
import { measureLoadCurves } from './capacity/load-curve.ts'
import { measureThroughput } from './capacity/throughput.ts'
import { measurePartitions } from './capacity/topics.ts'
import type { Suite, SuiteOptions, SuiteResult } from './lib/suite.ts'
import { suite as memory } from './memory.ts'

export const suite: Suite = {
  about: 'what one broker carries, and which gauge shows that the limit comes',
  async run(options: SuiteOptions): Promise<SuiteResult> {
    const curves = await measureLoadCurves(options)
    const throughput = await measureThroughput(options)
    const fanOut = await measureFanOut(options)
    const connections = await measureConnections(options)
    const idle = await memory.run(options)
    const partitions = await measurePartitions(options)
    const disk = await measureDisk(options)
    return {
      tables: [
        ...throughput,
        ...curves,
        ...fanOut,
        ...connections,
        ...idle.tables,
        ...partitions,
        ...disk,
      ],
      aims: [],
    }
  },
}

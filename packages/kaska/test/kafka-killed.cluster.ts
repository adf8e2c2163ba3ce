/**
 * A broker of a cluster is killed in the middle of sending and polling, comes back, and another one is
 * killed: for the client no acknowledged message is lost, repeated or out of order, and no send fails.
 */
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { throughOutage } from './outage.ts'
import { startCluster } from './start-cluster.ts'

/** How long there is sending before, between and after what happens to the brokers. */
const phaseMs = 2_000

const cluster = await startCluster()
if (typeof cluster === 'string') test('a broker is killed', { skip: cluster }, () => {})
else {
  after(() => cluster.stop())
  test('brokers are killed: each message once, in order', (t) =>
    throughOutage(t, `kafka://${cluster.bootstrap}`, 'orders', async () => {
      for (const broker of cluster.brokers) {
        await delay(phaseMs)
        await broker.end('SIGKILL')
        await delay(phaseMs)
        await broker.start()
      }
      await delay(phaseMs)
    }))
}

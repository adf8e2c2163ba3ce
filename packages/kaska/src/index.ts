/**
 * The broker as a library: `const broker = await createBroker({ data: './kaska-data' })`, and the gateway to a
 * cluster: `const gateway = await createGateway({ engine: 'kafka://b1:9092' })`.
 */
/// <reference lib="esnext.disposable" preserve="true" />
export {
  type Broker,
  type BrokerOptions,
  createBroker,
  type Listening,
  type ListenOptions,
  type TopicOption,
} from './broker.ts'
export { createGateway, type Gateway, type GatewayOptions } from './gateway.ts'
export type { SyncMode } from './log/log-config.ts'

/** The broker as a library: `const broker = await createBroker({ data: './kaska-data' })`. */
/// <reference lib="esnext.disposable" preserve="true" />
export {
  type Broker,
  type BrokerOptions,
  createBroker,
  type Listening,
  type ListenOptions,
  type TopicOption,
} from './broker.ts'
export type { SyncMode } from './log/log-config.ts'

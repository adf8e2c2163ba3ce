/** What `kaska serve` starts: a broker with logs of its own, or a gateway. */
import type { ListenOptions } from '../../listen-options.ts'

export interface Started {
  listen(options: ListenOptions): Promise<{ readonly url: string }>
  close(): Promise<void>
}

/** How it is started, and what the ready line says of where the messages are. */
export type Start = (report: (line: string) => void) => Promise<{ started: Started; place: string }>

/** What the workload needs of time: a simulated clock has it, and so has the real one. */
export interface Sleeper {
  sleep(ms: number): Promise<void>
}

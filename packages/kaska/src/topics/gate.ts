/** Lets a limited number of tasks run at a time; the others wait, in their order. */
export class Gate {
  readonly #tasksMax: number
  readonly #waiting: (() => void)[] = []
  #tasks = 0

  constructor(tasksMax: number) {
    this.#tasksMax = tasksMax
  }

  /** Runs the task when its turn has come, and settles as it does. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#tasks < this.#tasksMax) this.#tasks++
    // Whoever ends hands its place on.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next !== undefined) next()
      else this.#tasks--
    }
  }
}

/**
 * Calls that are made while one is under way go together in the next one: as many requests as it
 * takes to keep one on its way, however many callers there are.
 */
export class Gatherer<Item, Answer> {
  readonly #run: (items: readonly Item[]) => Promise<readonly Answer[]>
  #waiting: { item: Item; settle: PromiseWithResolvers<Answer> }[] = []
  #isRunning = false

  /** `run` gives one answer an item, in their order. */
  constructor(run: (items: readonly Item[]) => Promise<readonly Answer[]>) {
    this.#run = run
  }

  /** The answer of a run that begins after this call. */
  call(item: Item): Promise<Answer> {
    const settle = Promise.withResolvers<Answer>()
    this.#waiting.push({ item, settle })
    if (!this.#isRunning) void this.#go()
    return settle.promise
  }

  async #go(): Promise<void> {
    this.#isRunning = true
    // What is called in this turn goes along.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        const answers = await this.#run(batch.map(({ item }) => item))
        for (const [index, { settle }] of batch.entries()) settle.resolve(answers[index] as Answer)
      } catch (error) {
        for (const { settle } of batch) settle.reject(error)
      }
    }
    this.#isRunning = false
  }
}

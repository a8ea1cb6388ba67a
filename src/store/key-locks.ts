/** Runs tasks on one key one after the other, on different keys at once. */
export class KeyLocks {
  readonly #tails = new Map<string, Promise<void>>()

  /** Runs the task when those before it on the same key have ended, however they ended. */
  run<R>(key: string, task: () => Promise<R>): Promise<R> {
    const before = this.#tails.get(key) ?? Promise.resolve()
    const result = before.then(task)
    const tail = result.then(
      () => {},
      () => {},
    )
    this.#tails.set(key, tail)
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    })
    return result
  }
}

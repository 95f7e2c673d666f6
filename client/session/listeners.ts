/** Callbacks to call on a change. */
export class Listeners {
  readonly #listeners = new Set<() => void>()

  /** Adds a listener, and returns a function that removes it. */
  add(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Calls every listener. An error in a listener goes to the page's error handler and stops nothing. */
  call(): void {
    for (const listener of this.#listeners) {
      try {
        listener()
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}

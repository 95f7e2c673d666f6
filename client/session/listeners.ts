/** Whoever wants to know of a change. */
export class Listeners {
  readonly #listeners = new Set<() => void>()

  /** Gives back what ends it. */
  add(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A listener's fault is its own: it reaches the page's error handler, and keeps nothing from going on. */
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

/**
 * What must be closed later. Closes the last first, like AsyncDisposableStack, which Node 20 does
 * not have.
 */
export function createClosers() {
  const closers: (() => unknown)[] = []
  return {
    add(closer: () => unknown): void {
      closers.push(closer)
    },
    /**
     * Closes everything that was added, even if something cannot be closed.
     *
     * @throws the first error.
     */
    async close(): Promise<void> {
      const errors: unknown[] = []
      for (const closer of closers.splice(0).reverse()) {
        try {
          await closer()
        } catch (error) {
          errors.push(error)
        }
      }
      if (errors.length > 0) throw errors[0]
    },
  }
}

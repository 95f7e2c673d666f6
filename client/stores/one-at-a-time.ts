/** Creates a queue: each task waits until all earlier tasks have settled. */
export function oneAtATime() {
  let last: Promise<unknown> = Promise.resolve()
  return function exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work)
    last = result.catch(() => undefined)
    return result
  }
}

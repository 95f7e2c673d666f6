/** @param time Milliseconds. */
export const sleep = (time: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, time))

/** The result of `work`, or that of `otherwise` if `work` takes longer than `time` milliseconds. */
export async function within<T>(
  time: number,
  work: Promise<T>,
  otherwise: () => T | Promise<T>,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, time)
  })
  try {
    return await Promise.race([work, late.then(otherwise)])
  } finally {
    clearTimeout(timer)
  }
}

/** The result of `work`. Throws the signal's reason if it is aborted first. */
export async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve()
    })
  })
  const reason = aborted.then((): never => {
    throw signal.reason
  })
  return Promise.race([work(), reason])
}

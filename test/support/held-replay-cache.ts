import type { ReplayCache } from '../../server/limits/replay-cache.ts'

/** A replay cache that can hold a bound request between the check of its session and its handler. */
export function createHeldReplayCache() {
  let pass: () => Promise<void> = () => Promise.resolve()
  const replayCache: ReplayCache = {
    async remember() {
      await pass()
      return 'new'
    },
  }
  /** Holds the next bound request. */
  function holdBound() {
    let release: () => void = () => undefined
    const released = new Promise<void>((resolve) => (release = resolve))
    const reached = new Promise<void>((reach) => {
      pass = () => {
        pass = () => Promise.resolve()
        reach()
        return released
      }
    })
    return { reached, release }
  }
  return { replayCache, holdBound }
}

/** A clock that stands still until a test advances it. */
export function createClock(start = Date.parse('2026-01-01T00:00:00Z')) {
  let now = start
  const clock = () => now
  return Object.assign(clock, {
    /** Advances the clock by some seconds. */
    advance(seconds: number) {
      now += seconds * 1000
    },
  })
}

export type TestClock = ReturnType<typeof createClock>

/** Milliseconds without a failure after which earlier ones are forgotten. */
export const FORGOTTEN_AFTER = 86_400_000
/**
 * Milliseconds after which an unfinished try counts as abandoned, because its server was killed.
 */
const LONGEST_TRY = 60_000

/** The consecutive failures of one key. Times are in milliseconds since the epoch. */
export interface Count {
  readonly failures: number
  readonly failedAt: number
  /** Tries that have begun but not ended. They count as failures until they end. */
  readonly reserved: number
  readonly reservedAt: number
}

/** Milliseconds to wait after a number of failures. */
export type WaitAfter = (failures: number) => number

/** Whether a count is worth keeping. */
export const isUsed = ({ failures, reserved }: Count): boolean => failures > 0 || reserved > 0

/** The part of a stored count that still counts now; a new count if there is none. */
export function countAt(now: number, stored?: Count): Count {
  const unused = { failures: 0, failedAt: now, reserved: 0, reservedAt: now }
  const count = { ...(stored ?? unused) }
  if (now - count.failedAt >= FORGOTTEN_AFTER) count.failures = 0
  if (now - count.reservedAt >= LONGEST_TRY) count.reserved = 0
  return isUsed(count) ? count : unused
}

/** Milliseconds until the next try is allowed; 0 if it is allowed now. */
export function waitOf(count: Count, waitAfter: WaitAfter, now: number): number {
  const { failures, failedAt, reserved, reservedAt } = count
  const ends = [failedAt + waitAfter(failures)]
  if (reserved > 0) ends.push(reservedAt + waitAfter(failures + reserved))
  return Math.max(0, Math.max(...ends) - now)
}

/** Begins a try. It ends with `release`. */
export const reserve = (count: Count, now: number): Count => ({
  ...count,
  reserved: count.reserved + 1,
  reservedAt: now,
})

export const release = (count: Count): Count => ({
  ...count,
  reserved: Math.max(0, count.reserved - 1),
})

export const fail = (count: Count, now: number): Count => ({
  ...count,
  failures: count.failures + 1,
  failedAt: now,
})

/** Forgets the failures. Tries that have begun still count. */
export const clear = (count: Count): Count => ({ ...count, failures: 0 })

/**
 * Clears the failures if they have not caused a wait yet. Otherwise they stay, and the wait starts
 * again.
 */
export const interrupt = (count: Count, waitAfter: WaitAfter, now: number): Count =>
  waitAfter(count.failures) === 0 ? clear(count) : { ...count, failedAt: now }

import { FailureCounts, type Count } from './failure-counts.ts'

/** The number of consecutive wrong passwords that cause no wait. */
const FREE_FAILURES = 5
/** Milliseconds. */
const LONGEST_WAIT = 15 * 60_000
/** NIST SP 800-63B-4 §3.2.2: the most consecutive failures for one account. */
const MAX_STRANGER_FAILURES = 100

/** The failures that one try of a password depends on. */
export interface Failures {
  readonly bySource: FailureCounts
  readonly byStrangers: FailureCounts
}

/**
 * Runs `work` with exclusive access to the failures of some keys.
 *
 * @throws StorageError; whatever `work` throws, in which case nothing is changed.
 */
export type ChangeFailures = <T>(
  keys: readonly string[],
  work: (failures: Failures) => T,
) => Promise<T>

export const createFailures = (
  sources = new Map<string, Count>(),
  strangers = new Map<string, Count>(),
): Failures => ({
  bySource: new FailureCounts(
    (failures) =>
      failures < FREE_FAILURES ? 0 : Math.min(1000 * 2 ** (failures - FREE_FAILURES), LONGEST_WAIT),
    sources,
  ),
  byStrangers: new FailureCounts(
    (failures) => (failures < MAX_STRANGER_FAILURES ? 0 : LONGEST_WAIT),
    strangers,
  ),
})

/** Keeps failures in this process's memory. */
export function failuresInMemory(): ChangeFailures {
  const failures = createFailures()
  // eslint-disable-next-line @typescript-eslint/require-await -- what `work` throws becomes a rejection
  return async (_, work) => work(failures)
}

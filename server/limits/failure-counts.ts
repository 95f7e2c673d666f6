/** Milliseconds without a failure after which earlier ones are forgotten. */
export const MEMORY = 86_400_000
/** The most keys. The key with the oldest last try is dropped to make room. */
export const CAPACITY = 100_000
/**
 * Milliseconds after which an unfinished try counts as abandoned, because its server was killed.
 */
const LONGEST_TRY = 60_000

export interface Count {
  /** In a row. */
  failures: number
  /** Milliseconds since the epoch. */
  failedAt: number
  /** Tries that have begun but not ended. They count as failures until they end. */
  reserved: number
  /** Milliseconds since the epoch. */
  reservedAt: number
}

/**
 * Counts consecutive failures for each key. Every method is synchronous, so each of many
 * simultaneous tries sees the tries before it.
 */
export class FailureCounts {
  readonly #waitAfter: (failures: number) => number
  readonly #capacity: number
  /** The key with the oldest last try comes first. */
  readonly #counts: Map<string, Count>

  /** @param waitAfter Milliseconds to wait after the given number of failures. */
  constructor(
    waitAfter: (failures: number) => number,
    counts = new Map<string, Count>(),
    capacity = CAPACITY,
  ) {
    this.#waitAfter = waitAfter
    this.#counts = counts
    this.#capacity = capacity
  }

  /** Milliseconds until the next try is allowed; 0 if it is allowed now. */
  wait(key: string, now: number): number {
    const count = this.#find(key, now)
    if (count === undefined) return 0
    const { failures, failedAt, reserved, reservedAt } = count
    const ends = [failedAt + this.#waitAfter(failures)]
    if (reserved > 0) ends.push(reservedAt + this.#waitAfter(failures + reserved))
    return Math.max(0, Math.max(...ends) - now)
  }

  /** Begins a try. It ends with `release`. */
  reserve(key: string, now: number): void {
    const count = this.#renew(key, now)
    count.reserved += 1
    count.reservedAt = now
  }

  release(key: string): void {
    const count = this.#counts.get(key)
    if (count === undefined) return
    count.reserved = Math.max(0, count.reserved - 1)
    this.#dropIfEmpty(key, count)
  }

  fail(key: string, now: number): void {
    const count = this.#renew(key, now)
    count.failures += 1
    count.failedAt = now
  }

  /** Forgets the failures. Tries that have begun still count. */
  clear(key: string): void {
    const count = this.#counts.get(key)
    if (count === undefined) return
    count.failures = 0
    this.#dropIfEmpty(key, count)
  }

  /**
   * Clears the failures if they have not caused a wait yet. Otherwise they stay, and the wait
   * starts again.
   */
  interrupt(key: string, now: number): void {
    const count = this.#counts.get(key)
    if (count === undefined) return
    if (this.#waitAfter(count.failures) === 0) this.clear(key)
    else count.failedAt = now
  }

  #find(key: string, now: number): Count | undefined {
    const count = this.#counts.get(key)
    if (count !== undefined && now - count.reservedAt >= LONGEST_TRY) count.reserved = 0
    if (count !== undefined && now - count.failedAt >= MEMORY) this.clear(key)
    return this.#counts.get(key)
  }

  #renew(key: string, now: number): Count {
    const count = this.#find(key, now) ?? {
      failures: 0,
      failedAt: now,
      reserved: 0,
      reservedAt: now,
    }
    // Deleted first, because a Map keeps its keys in insertion order.
    this.#counts.delete(key)
    this.#counts.set(key, count)
    for (const oldest of this.#counts.keys()) {
      if (this.#counts.size <= this.#capacity) break
      this.#counts.delete(oldest)
    }
    return count
  }

  #dropIfEmpty(key: string, { failures, reserved }: Count): void {
    if (failures === 0 && reserved === 0) this.#counts.delete(key)
  }
}

import { AuthError, hasCode } from '../errors.ts'
import { isObject } from '../json.ts'
import type { ClientStore } from '../stores/client-store.ts'

/** Milliseconds for which a copy is used without asking, as in the server's Cache-Control. */
const FRESH = 300_000
/** Milliseconds after a failure for which a copy is used without asking again. */
const COOL_DOWN = 10_000

interface DocumentOptions<T> {
  /** Its name in the store. */
  readonly name: string
  readonly store: ClientStore
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Milliseconds for which a copy is trusted while the server is unreachable; 0 for never. */
  readonly maxAge: number
  /** Fetches a fresh copy. */
  readonly load: () => Promise<T>
  /** Checks a copy from the store, which may hold anything by now. */
  readonly parse: (value: unknown) => Promise<T | undefined>
}

/** A document that the server publishes, with a copy in the store for when it is unreachable. */
export class CachedDocument<T> {
  readonly #options: DocumentOptions<T>
  #copy: { readonly value: T; readonly fetchedAt: number } | undefined
  #loading: Promise<T> | undefined
  #failedAt = -Infinity

  constructor(options: DocumentOptions<T>) {
    this.#options = options
  }

  /**
   * The document, from the server if the copy is older than five minutes.
   *
   * @throws AuthError `keys_too_old` if loading fails and the copy is too old to trust. The loading
   *   error itself if there is no copy, or if it is `key_not_pinned`.
   */
  async get(): Promise<T> {
    this.#copy ??= await this.#stored()
    const { clock, maxAge } = this.#options
    const isBelieved = (age: number) =>
      this.#copy !== undefined && isWithin(this.#copy.fetchedAt, age, clock())
    const hasJustFailed = isWithin(this.#failedAt, COOL_DOWN, clock())
    if (this.#copy !== undefined && isBelieved(hasJustFailed ? maxAge : FRESH)) {
      return this.#copy.value
    }
    try {
      return await this.reload()
    } catch (error) {
      // Neither a bug nor a wrong key means that the server is unreachable.
      if (!(error instanceof AuthError) || error.code === 'key_not_pinned') throw error
      this.#failedAt = clock()
      if (this.#copy === undefined || maxAge === 0) throw error
      if (isBelieved(maxAge)) return this.#copy.value
      throw new AuthError('keys_too_old', 'The cached keys are too old.', { cause: error })
    }
  }

  /**
   * Asks the server now. Concurrent calls share one request.
   *
   * @throws AuthError `network`, `bad_answer`, `key_not_pinned`
   */
  reload(): Promise<T> {
    this.#loading ??= this.#load().finally(() => (this.#loading = undefined))
    return this.#loading
  }

  async #load(): Promise<T> {
    const { name, store, clock, load } = this.#options
    const value = await load()
    const fetchedAt = clock()
    this.#copy = { value, fetchedAt }
    try {
      await store.write(name, { value, fetchedAt })
    } catch (error) {
      // Without a stored copy, the next start asks again.
      if (!hasCode(error, 'store_failed')) throw error
    }
    return value
  }

  async #stored(): Promise<{ value: T; fetchedAt: number } | undefined> {
    const { name, store, parse } = this.#options
    const stored = await store.read(name)
    if (!isObject(stored) || typeof stored['fetchedAt'] !== 'number') return undefined
    const value = await parse(stored['value'])
    return value === undefined ? undefined : { value, fetchedAt: stored['fetchedAt'] }
  }
}

/** A time in the future means that the clock was wrong, so the age is unknown. */
const isWithin = (since: number, span: number, now: number): boolean =>
  since <= now && now - since < span

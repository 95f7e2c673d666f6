import type { Fetch } from './http.ts'
import type { ClientStore } from './stores/client-store.ts'

export interface AuthClientOptions {
  /** The server's base URL, as this client reaches it: https, or this machine. */
  readonly server: string
  /** The server's ISSUER, if it is not its base URL. */
  readonly issuer?: string
  /** `await browserStore()` in a page, `fileStore(…)` or `memoryStore()` on Node. */
  readonly store: ClientStore
  /** The name of this installation in the list of sessions. */
  readonly clientName?: string
  /** Base URLs of other services that may be sent tokens. A service can use every token that it gets: list only your own. */
  readonly services?: readonly string[]
  /** Derives what is sent instead of a password; by default the password is sent. See scrypt-password.ts. */
  readonly derivePassword?: DerivePassword
  /** Seconds for which the server's cached keys are used while it is unreachable; a day by default. */
  readonly maxKeyAge?: number
  /** Called with the reason why a stored token is refused. Nothing is thrown then, and nobody is signed in. */
  readonly onRefused?: (error: unknown) => void
  readonly fetch?: Fetch
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly clock?: () => number
}

/**
 * Derives what is sent instead of a password. The same person must always get the same result.
 *
 * @param address The account's e-mail address.
 * @param isNew Whether the password is about to be set: the moment to refuse a weak one.
 */
export type DerivePassword = (password: string, address: string, isNew: boolean) => Promise<string>

import type { Fetch } from './http.ts'
import type { DerivePassword } from './passwords.ts'
import type { ClientStore } from './stores/client-store.ts'

export interface AuthClientOptions {
  /** The server's base URL, as this client reaches it: https, or this machine. */
  readonly server: string
  /** The name under which the server knows itself, its ISSUER, where it is another. */
  readonly issuer?: string
  /** `await browserStore()` in a page, `fileStore(…)` or `memoryStore()` on Node. */
  readonly store: ClientStore
  /** What the list of sessions calls this installation. */
  readonly clientName?: string
  /** Base URLs of other services that may be sent tokens. Each can use what it is sent: list only your own. */
  readonly services?: readonly string[]
  /** What is sent in place of a password; by default the password. See scrypt-password.ts. */
  readonly derivePassword?: DerivePassword
  /** Seconds for which the server's cached keys are believed while it is away; a day by default. */
  readonly maxKeyAge?: number
  readonly fetch?: Fetch
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly clock?: () => number
}

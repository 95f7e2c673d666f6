import type { AuthClient, ClientStore, OpenedToken } from '../../../../client/index.ts'
import type { EncryptionEnc } from '../../../../protocol/algorithms.ts'
import type { Exchange } from './wire.ts'

/** Where `npm run example` listens. The page's policy allows it: see files.ts. */
export const NOTES = 'http://localhost:4000'

/** What the steps share. */
export interface Page {
  readonly auth: AuthClient
  /** The server's base URL, as this page reaches it. */
  readonly server: string
  /** The server's issuer. */
  readonly issuer: string
  /** The content encryption of tokens to the server. */
  readonly enc: EncryptionEnc
  readonly store: ClientStore
  /** Whether the server takes sealed bodies. */
  readonly offersSealing: boolean
  /** The last request that was sent with a token, exactly as sent. */
  captured: Exchange | undefined
}

/** A part of the page that shows something about the signed-in user. */
export interface Step {
  /** Called when somebody has signed in, and when the tokens have been refreshed. */
  show(token: OpenedToken): void | Promise<void>
  /** Called when nobody is signed in any more. Removes the user's data from the page. */
  clear(): void
}

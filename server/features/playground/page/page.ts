import type { AuthClient, OpenedToken } from '../../../../client/index.ts'
import type { Exchange } from './wire.ts'

/** What the steps share. */
export interface Page {
  readonly auth: AuthClient
  /** The server's base URL, as this page reaches it. */
  readonly server: string
  /** The warning to show if the browser cannot store keys. */
  readonly storeWarning: string | undefined
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

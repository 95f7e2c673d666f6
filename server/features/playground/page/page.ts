import type { AuthClient, OpenedToken } from '../../../../client/index.ts'
import type { Exchange } from './wire.ts'

/** What the steps share. */
export interface Page {
  readonly auth: AuthClient
  /** Where the server is, as this page reaches it. */
  readonly server: string
  /** Where the browser keeps nothing: what to say of that. */
  readonly storeWarning: string | undefined
  /** The last request with a token that went out, as it went. */
  captured: Exchange | undefined
}

/** A part of the page that shows something of the one who is signed in. */
export interface Step {
  /** Called when somebody has signed in, and when the tokens have been renewed. */
  show(token: OpenedToken): void | Promise<void>
  /** Called when nobody is signed in any more: nothing of them stays on the page. */
  clear(): void
}

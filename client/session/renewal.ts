import { endsSession, hasCode } from '../errors.ts'
import type { Fetch } from '../http.ts'
import type { TokenPair } from './answers.ts'
import { openerOf, openPair, type LiveSession, type SessionContext } from './live-session.ts'
import { renew } from './renew.ts'
import { openRefreshToken } from './tokens.ts'

/** Codes of what no other try will mend. */
const LOST = ['token_invalid', 'token_expired', 'session_ended']

/** Renews a session, and holds on to a fresh pair until it has been opened and kept. */
export class Renewal {
  readonly #context: SessionContext & { readonly fetch: Fetch }
  /** A pair, the refresh token that was used up for it, and when it came. */
  #pending: { readonly of: string; readonly pair: TokenPair; readonly at: number } | undefined

  constructor(context: SessionContext & { readonly fetch: Fetch }) {
    this.#context = context
  }

  /**
   * Uses up the session's refresh token and opens what comes for it. Should the keys to open it be out
   * of reach, or the store to keep it, the same pair is there for the next try.
   *
   * @param keep Keeps the renewed session.
   * @throws AuthError `session_ended` where it can be renewed no more.
   */
  async renew(
    { stored, access }: LiveSession,
    keep: (renewed: LiveSession) => Promise<LiveSession>,
  ): Promise<LiveSession> {
    const context = this.#context
    const opener = await openerOf(context, stored)
    const { jws } = await openRefreshToken(stored.refresh_token, opener).catch(
      endsSession('token_invalid'),
    )
    if (this.#pending?.of !== jws) {
      const pair = await renew(context.fetch, context.server, jws)
      this.#pending = { of: jws, pair, at: context.clock() }
    }
    const { pair, at } = this.#pending
    try {
      const expected = { sessionId: stored.session_id, subject: access.claims.sub }
      // The clock is set by when it came.
      const then = { ...context, clock: () => at }
      const renewed = await keep(await openPair(then, opener.key, expected, pair))
      this.#pending = undefined
      return renewed
    } catch (error) {
      // It will be no better the next time.
      if (LOST.some((code) => hasCode(error, code))) this.#pending = undefined
      throw error
    }
  }
}

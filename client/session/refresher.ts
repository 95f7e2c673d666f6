import { hasCode, inPlaceOf, notSignedIn, sessionEnded } from '../errors.ts'
import { decrypt } from '../token/decrypt.ts'
import type { TokenPair } from './answers.ts'
import {
  isGood,
  nowFor,
  openerOf,
  openPair,
  openStored,
  type LiveSession,
  type OnlineContext,
} from './open-session.ts'
import type { PageSession } from './page-session.ts'
import { renew } from './token-endpoint.ts'
import { readSession, writeSession } from './stored-session.ts'

/** Where the tokens come from that requests are sent with. */
export interface TokenSource {
  /** Seconds since the epoch, by the server's clock as far as it is known. */
  readonly now: number
  /** A session whose access token is still good for a moment: renewed if need be. */
  fresh(): Promise<LiveSession>
  /** A session with another access token than that of `used`. */
  renew(used: LiveSession): Promise<LiveSession>
}

/** A pair that has come and is not kept yet. */
interface PendingPair {
  readonly pair: TokenPair
  /** The refresh token that it replaces, as it is stored. */
  readonly of: string
  /** When it came, milliseconds since the epoch. */
  readonly at: number
}

/** Codes of what no other try will mend. */
const LOST = ['token_invalid', 'token_expired', 'session_ended']

/**
 * Replaces a session's tokens, and holds on to a fresh pair until it has been opened and kept.
 * Everything here needs the store for itself: see `exclusively`.
 */
export class Renewal {
  readonly #context: OnlineContext
  readonly #page: PageSession
  #pending: PendingPair | undefined

  constructor(context: OnlineContext, page: PageSession) {
    this.#context = context
    this.#page = page
  }

  /**
   * A session with another access token than that of `used`: one that another page has kept, or a
   * fresh one, for which the refresh token is used up. Should the keys to open it be out of reach, or
   * the store to keep it, the same pair is there for the next try.
   *
   * @throws AuthError `session_ended` if the server, or another page, says so; `not_signed_in` if the
   *   refresh token cannot be opened here.
   */
  async renew(used: LiveSession): Promise<LiveSession> {
    const { fetch, server } = this.#context
    const kept = await this.#kept(used)
    if (kept.access.jwe !== used.access.jwe && isGood(this.#context, kept)) {
      return this.#page.replace(kept)
    }
    const { refresh_token } = kept.stored
    if (this.#pending?.of === refresh_token) return this.#settle(kept, this.#pending)
    // It was verified before it was kept. What it is worth now is for the server to say.
    const jws = await openerOf(this.#context, kept.stored)
      .then(({ key }) => decrypt(refresh_token, key, 'JWT'))
      .catch(inPlaceOf('token_invalid', notSignedIn))
    return this.#settle(kept, this.#hold(kept, await renew(fetch, server, jws)))
  }

  /**
   * Takes over a pair that makes every older token of the session dead, such as that of a change of
   * the password.
   *
   * @param ask Asks for the pair, with tokens from the source that it is given: any other would wait
   *   for this to end.
   * @throws AuthError `session_ended`, and whatever `ask` throws.
   */
  async exchange(
    session: LiveSession,
    ask: (tokens: TokenSource) => Promise<TokenPair>,
  ): Promise<LiveSession> {
    const context = this.#context
    let renewing: Promise<LiveSession> | undefined
    let current = await this.#kept(session)
    const tokens: TokenSource = {
      get now() {
        return nowFor(context, current)
      },
      fresh: async () => (isGood(context, current) ? current : tokens.renew(current)),
      renew: async (used) => {
        renewing = this.renew(used)
        return (current = await renewing)
      },
    }
    // Whoever asks may give up before a renewal ends, which needs the store for itself.
    const pair = await ask(tokens).finally(() => renewing?.catch(() => undefined))
    return this.#settle(current, this.#hold(current, pair))
  }

  #hold({ stored }: LiveSession, pair: TokenPair): PendingPair {
    this.#pending = { pair, of: stored.refresh_token, at: this.#context.clock() }
    return this.#pending
  }

  /** Opens a pair and keeps it. */
  async #settle({ stored, access }: LiveSession, { pair, at }: PendingPair): Promise<LiveSession> {
    const { store } = this.#context
    try {
      const { key } = await openerOf(this.#context, stored)
      const expected = { sessionId: stored.session_id, subject: access.claims.sub }
      // The clock is set by when it came.
      const renewed = await openPair({ ...this.#context, clock: () => at }, key, expected, pair)
      // It may have ended while the server was thinking.
      const still = await readSession(store)
      if (still?.session_id !== stored.session_id) throw sessionEnded()
      await writeSession(store, renewed.stored)
      this.#pending = undefined
      return this.#page.replace(renewed)
    } catch (error) {
      // It will be no better the next time.
      if (LOST.some((code) => hasCode(error, code))) this.#pending = undefined
      throw error
    }
  }

  /** The session in the store, which must be this one; what is here, if that cannot be opened. */
  async #kept(session: LiveSession): Promise<LiveSession> {
    const kept = await openStored(this.#context).catch((error: unknown) => {
      if (hasCode(error, 'token_invalid')) return session
      throw error
    })
    if (kept?.stored.session_id !== session.stored.session_id) throw sessionEnded()
    return kept
  }
}

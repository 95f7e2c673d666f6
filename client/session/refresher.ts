import type { ClientContext } from '../context.ts'
import { hasCode, inPlaceOf, notSignedIn, sessionEnded } from '../errors.ts'
import { decrypt } from '../token/decrypt.ts'
import type { TokenPair } from './answers.ts'
import {
  isUsable,
  keyOf,
  openPair,
  openStored,
  serverTime,
  type OpenSession,
} from './open-session.ts'
import type { SessionInMemory } from './session-in-memory.ts'
import { isDamaged, readSession, writeSession } from './stored-session.ts'
import { requestPair } from './token-endpoint.ts'

/** Supplies the tokens for a request. */
export interface TokenSource {
  /** Seconds since the epoch, by the server's clock as estimated. */
  readonly now: number
  /** The session, refreshed first if its access token is about to expire. */
  usable(): Promise<OpenSession>
  /** The session with a newer access token than that of `used`. */
  refresh(used: OpenSession): Promise<OpenSession>
}

/** A pair of tokens that has arrived but is not yet in the store. */
interface PendingPair {
  readonly pair: TokenPair
  /** The stored refresh token that it replaces. */
  readonly replaces: string
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
}

/** Codes of errors that make a retry with the same pair useless. */
const FINAL = ['token_invalid', 'token_expired', 'session_ended']

/**
 * Replaces a session's tokens, and holds the new pair until it is in the store. The caller must hold
 * the store's lock: see `exclusively`.
 */
export class Refresher {
  readonly #context: ClientContext
  readonly #memory: SessionInMemory
  #pending: PendingPair | undefined

  constructor(context: ClientContext, memory: SessionInMemory) {
    this.#context = context
    this.#memory = memory
  }

  /**
   * The session with a newer access token than that of `used`: from another page through the store, or
   * from the server. If a new pair cannot be opened or stored yet, the next call retries with it.
   *
   * @throws AuthError `session_ended` if the server or another page has ended it; `not_signed_in` if
   *   this client cannot open the refresh token.
   */
  async refresh(used: OpenSession): Promise<OpenSession> {
    const context = this.#context
    const latest = await this.#latest(used)
    if (latest.access.jwe !== used.access.jwe && isUsable(context, latest)) {
      return this.#memory.set(latest)
    }
    const { refresh_token } = latest.stored
    if (this.#pending?.replaces === refresh_token) return this.#openAndStore(latest, this.#pending)
    // It was verified before it was stored, and only the server knows whether it is still valid.
    const jws = await keyOf(context.store, latest.stored)
      .then((key) => decrypt(refresh_token, key, 'JWT'))
      .catch(inPlaceOf('token_invalid', notSignedIn))
    try {
      const pair = await requestPair(context, latest, jws)
      return await this.#openAndStore(latest, this.#hold(latest, pair))
    } catch (error) {
      // Somebody without this lock, such as another process, may have refreshed the session meanwhile.
      const hasChanged = async () =>
        (await this.#latest(latest)).stored.refresh_token !== refresh_token
      if (hasCode(error, 'session_ended') && (await hasChanged())) return this.refresh(used)
      throw error
    }
  }

  /**
   * Adopts a pair that invalidates all older tokens of the session, for example after a password change.
   *
   * @param ask Requests the pair, with tokens from the given source. Any other source would wait for
   *   the lock that the caller holds.
   * @throws AuthError `session_ended`, and whatever `ask` throws.
   */
  async replace(
    session: OpenSession,
    ask: (tokens: TokenSource) => Promise<TokenPair>,
  ): Promise<OpenSession> {
    const context = this.#context
    let refreshing: Promise<OpenSession> | undefined
    let latest = await this.#latest(session)
    const tokens: TokenSource = {
      get now() {
        return serverTime(context, latest)
      },
      usable: async () => (isUsable(context, latest) ? latest : tokens.refresh(latest)),
      refresh: async (used) => {
        refreshing = this.refresh(used)
        return (latest = await refreshing)
      },
    }
    // `ask` may give up during a refresh, which still needs the lock.
    const pair = await ask(tokens).finally(() => refreshing?.catch(() => undefined))
    return this.#openAndStore(latest, this.#hold(latest, pair))
  }

  #hold({ stored }: OpenSession, pair: TokenPair): PendingPair {
    const receivedAt = this.#context.clock()
    return (this.#pending = { pair, replaces: stored.refresh_token, receivedAt })
  }

  /** Opens a pair and stores it. */
  async #openAndStore(
    session: OpenSession,
    { pair, receivedAt }: PendingPair,
  ): Promise<OpenSession> {
    const { store } = this.#context
    const { session_id: sessionId } = session.stored
    const { sub: accountId, cnf } = session.access.claims
    try {
      const key = await keyOf(store, session.stored)
      const expected = { sessionId, accountId, isKeyBound: cnf !== undefined }
      const refreshed = await openPair(this.#context, key, expected, pair, receivedAt)
      // The session may have ended while the server was answering. A damaged one is replaced.
      const isStored = (await readSession(store))?.session_id === sessionId
      if (!isStored && !(await isDamaged(store))) throw sessionEnded()
      await writeSession(store, refreshed.stored)
      this.#pending = undefined
      return this.#memory.set(refreshed)
    } catch (error) {
      if (FINAL.some((code) => hasCode(error, code))) this.#pending = undefined
      throw error
    }
  }

  /** The session in the store now, or the given session if the stored one cannot be opened. */
  async #latest(session: OpenSession): Promise<OpenSession> {
    const latest = await openStored(this.#context).catch((error: unknown) => {
      if (hasCode(error, 'token_invalid')) return session
      throw error
    })
    if (latest?.stored.session_id !== session.stored.session_id) throw sessionEnded()
    return latest
  }
}

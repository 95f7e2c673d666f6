import { AuthError, hasCode } from '../errors.ts'
import type { Fetch } from '../http.ts'
import type { Json } from '../json.ts'
import type { AccessTokenClaims } from '../token/claims.ts'
import type { ClientKey } from '../token/client-key.ts'
import { readAccountAnswer, readTokenPair, type Account } from './answers.ts'
import {
  isGood,
  nowFor,
  openerOf,
  openPair,
  openStored,
  type LiveSession,
  type SessionContext,
} from './live-session.ts'
import { renew } from './renew.ts'
import { revoke } from './revoke.ts'
import { forgetSession, readSession, writeSession } from './stored-session.ts'
import { openAccessToken, openRefreshToken, type OpenedToken } from './tokens.ts'

interface HolderOptions extends SessionContext {
  readonly fetch: Fetch
  /** Called when the session has begun, been renewed or ended, in this page or another. */
  onChange(): void
}

/** Holds the session of this page, in step with the store, which other pages may share. */
export class SessionHolder {
  readonly #options: HolderOptions
  #session: LiveSession | undefined
  #renewing: Promise<LiveSession> | undefined

  constructor(options: HolderOptions) {
    this.#options = options
    options.store.subscribe(() => void this.#onOtherPage())
  }

  get session(): LiveSession | undefined {
    return this.#session
  }

  /** Seconds since the epoch, by the server's clock as far as it is known. */
  get now(): number {
    return nowFor(this.#options, this.#session)
  }

  /**
   * Takes over what signing up or in has answered, if it is whole and meant for this client.
   *
   * @throws AuthError `bad_answer`, `token_invalid`
   */
  async begin(key: ClientKey, body: Json, url: string): Promise<LiveSession> {
    const { store } = this.#options
    const { account, session_id, database_key } = readAccountAnswer(body, url)
    const expected = { sessionId: session_id, subject: account.id }
    const session = await openPair(this.#options, key, expected, readTokenPair(body, url))
    const known = { account, databaseKey: database_key }
    return store.exclusively(async () => {
      const replaced = await readSession(store)
      if (replaced !== undefined) await revoke(this.#options, replaced)
      // What earlier sessions have left: nobody has their keys any more.
      await store.removeVaults(session_id)
      return this.#keep({ ...session, known })
    })
  }

  /**
   * The session in the store, without asking the server whether it is alive; its token may have
   * expired. What nobody can prove any more is removed.
   */
  async restore(): Promise<LiveSession | undefined> {
    try {
      const session = await openStored(this.#options)
      this.#session = session && this.#withKnown(session)
      return this.#session
    } catch (error) {
      // The server has other keys, or this client has.
      if (!hasCode(error, 'token_invalid')) throw error
      await this.end()
      return undefined
    }
  }

  /** The session in memory, or the one in the store. @throws AuthError `not_signed_in` */
  async present(): Promise<LiveSession> {
    const session = this.#session ?? (await this.restore())
    if (session === undefined) throw new AuthError('not_signed_in', 'Nobody is signed in.')
    return session
  }

  /** A session whose access token is still good for a moment: renewed if need be. */
  async fresh(): Promise<LiveSession> {
    const session = await this.present()
    return isGood(this.#options, session) ? session : this.renew(session)
  }

  /**
   * A session with another access token than that of `used`: one that another page has just got, or
   * a fresh one. However many ask at once, in however many pages, one refresh token is used.
   *
   * @throws AuthError `session_ended`, after which nothing of it is left here; `network`.
   */
  renew(used: LiveSession): Promise<LiveSession> {
    const work = () => this.#renew(used)
    this.#renewing ??= this.#options.store.exclusively(work).finally(() => {
      this.#renewing = undefined
    })
    return this.#renewing
  }

  /** Forgets the session, here and in the store. */
  async end(): Promise<void> {
    await this.#options.store.exclusively(() => this.#forget())
  }

  /** Adds what the server has said of a session, which may have been renewed meanwhile. */
  know(session: LiveSession, known: NonNullable<LiveSession['known']>): LiveSession {
    const current = this.#session
    const isSame = current?.stored.session_id === session.stored.session_id
    if (!isSame) throw new AuthError('session_ended', 'The session was ended in another page.')
    return this.#replace({ ...current, known })
  }

  /** Takes over what has changed in the account. */
  rename(account: Account): void {
    const session = this.#session
    if (session?.known === undefined) return
    this.#replace({ ...session, known: { ...session.known, account } })
  }

  /** The access token, opened once more: every check is made anew. */
  async reopen(session: LiveSession): Promise<OpenedToken<AccessTokenClaims>> {
    const opener = await openerOf(this.#options, session.stored)
    return openAccessToken(session.access.jwe, opener)
  }

  async #renew(used: LiveSession): Promise<LiveSession> {
    const { fetch, server } = this.#options
    const kept = await openStored(this.#options)
    if (kept?.stored.session_id !== used.stored.session_id) {
      this.#lose()
      throw new AuthError('session_ended', 'The session was ended in another page.')
    }
    if (kept.access.jwe !== used.access.jwe && isGood(this.#options, kept)) {
      return this.#replace(kept)
    }
    const { stored, access } = kept
    const opener = await openerOf(this.#options, stored)
    const expected = { sessionId: stored.session_id, subject: access.claims.sub }
    try {
      const { jws } = await openRefreshToken(stored.refresh_token, opener)
      const pair = await renew(fetch, server, jws)
      return await this.#keep(await openPair(this.#options, opener.key, expected, pair))
    } catch (error) {
      if (hasCode(error, 'session_ended')) await this.#forget()
      throw error
    }
  }

  async #keep(session: LiveSession): Promise<LiveSession> {
    await writeSession(this.#options.store, session.stored)
    return this.#replace(session)
  }

  #replace(session: LiveSession): LiveSession {
    this.#session = this.#withKnown(session)
    this.#options.onChange()
    return this.#session
  }

  /** A renewed session is the same person's. */
  #withKnown(session: LiveSession): LiveSession {
    const before = this.#session
    const isSame = before?.stored.session_id === session.stored.session_id
    return isSame && before.known !== undefined ? { known: before.known, ...session } : session
  }

  async #forget(): Promise<void> {
    this.#session = undefined
    await forgetSession(this.#options.store)
    this.#options.onChange()
  }

  #lose(): void {
    this.#session = undefined
    this.#options.onChange()
  }

  async #onOtherPage(): Promise<void> {
    const stored = await readSession(this.#options.store)
    if (stored?.session_id !== this.#session?.stored.session_id) this.#lose()
  }
}

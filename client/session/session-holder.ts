import { AuthError, hasCode } from '../errors.ts'
import type { Fetch } from '../http.ts'
import type { Json } from '../json.ts'
import type { AccessTokenClaims } from '../token/claims.ts'
import { within } from '../timers.ts'
import type { ClientKey } from '../token/client-key.ts'
import { readAccountAnswer, readTokenPair, type Account } from './answers.ts'
import {
  isGood,
  nowFor,
  openerOf,
  openPair,
  openStored,
  type KnownSession,
  type LiveSession,
  type SessionContext,
} from './live-session.ts'
import { endOfSession, Renewal } from './renewal.ts'
import { revoke } from './revoke.ts'
import { forgetSession, readSession, writeSession } from './stored-session.ts'
import { openAccessToken, type OpenedToken } from './tokens.ts'

interface HolderOptions extends SessionContext {
  readonly fetch: Fetch
  /** Called when the session has begun, been renewed or ended, in this page or another. */
  onChange(): void
}

/** Holds the session of this page, in step with the store, which other pages may share. */
export class SessionHolder {
  readonly #options: HolderOptions
  readonly #renewal: Renewal
  #session: LiveSession | undefined
  #renewing: { readonly of: string; readonly result: Promise<LiveSession> } | undefined
  /** Somebody was signed in here and is no more: who signs in elsewhere is not taken for them. */
  #isOver = false

  constructor(options: HolderOptions) {
    this.#options = options
    this.#renewal = new Renewal(options)
    options.store.subscribe(() => {
      // What the store cannot say now, it says at the next request.
      this.#onOtherPage().catch(() => undefined)
    })
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
    const [kept, replaced] = await store.exclusively(async () => {
      const replaced = await readSession(store)
      // What earlier sessions have left: nobody has their keys any more.
      await store.removeVaults(session_id)
      return [await this.#keep({ ...session, known }), replaced]
    })
    if (replaced !== undefined) await revoke(this.#options, replaced)
    return kept
  }

  /**
   * The session in the store, without asking the server whether it is alive; its token may have
   * expired. What nobody can prove any more is removed.
   */
  async restore(): Promise<LiveSession | undefined> {
    try {
      const session = await openStored(this.#options)
      if (session === undefined) {
        await this.#sweep()
        if (this.#session !== undefined) this.#lose()
        return undefined
      }
      this.#session = this.#withKnown(session)
      this.#isOver = false
      return this.#session
    } catch (error) {
      // The server has other keys, or this client has.
      if (!hasCode(error, 'token_invalid')) throw error
      await this.#options.store.exclusively(() => this.#forget())
      return undefined
    }
  }

  /**
   * The session in memory, or, in a page that has had none yet, the one in the store.
   *
   * @throws AuthError `not_signed_in`
   */
  async present(): Promise<LiveSession> {
    const session = this.#session ?? (this.#isOver ? undefined : await this.restore())
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
    const of = used.stored.session_id
    if (this.#renewing?.of === of) return this.#renewing.result
    const renewing = {
      of,
      result: this.#options.store
        .exclusively(() => this.#renew(used))
        .finally(() => {
          if (this.#renewing === renewing) this.#renewing = undefined
        }),
    }
    this.#renewing = renewing
    return renewing.result
  }

  /** The id of the session in memory, or, in a page that has had none yet, of the one in the store. */
  async id(): Promise<string | undefined> {
    if (this.#session !== undefined || this.#isOver) return this.#session?.stored.session_id
    return (await readSession(this.#options.store))?.session_id
  }

  /** Forgets a session, here and in the store, and nobody else's; for none, what is left of one. */
  async end(sessionId: string | undefined): Promise<void> {
    const { store } = this.#options
    const end = async () => {
      const kept = await readSession(store)
      if (kept === undefined || kept.session_id === sessionId) await this.#forget(sessionId)
      else if (this.#session?.stored.session_id === sessionId) this.#lose()
    }
    // A renewal that gets no answer keeps everybody waiting; it finds the session gone when it ends.
    await within(PATIENCE, store.exclusively(end), end)
  }

  /** Adds what the server has said of a session, which may have been renewed meanwhile. */
  know(session: LiveSession, known: KnownSession['known']): KnownSession {
    const current = this.#session
    const isSame = current?.stored.session_id === session.stored.session_id
    if (!isSame) throw endedElsewhere()
    const now = { ...current, known }
    this.#replace(now)
    return now
  }

  /** Takes over what has changed in the account. */
  rename(account: Account): void {
    const session = this.#session
    if (session?.known === undefined || account.id !== session.access.claims.sub) return
    this.#replace({ ...session, known: { ...session.known, account } })
  }

  /** The access token, opened once more: every check is made anew. */
  async reopen(session: LiveSession): Promise<OpenedToken<AccessTokenClaims>> {
    const opener = await openerOf(this.#options, session.stored)
    return openAccessToken(session.access.jwe, opener)
  }

  async #renew(used: LiveSession): Promise<LiveSession> {
    const { session_id } = used.stored
    try {
      const kept = await openStored(this.#options).catch(endOfSession)
      if (kept?.stored.session_id !== session_id) throw endedElsewhere()
      if (kept.access.jwe !== used.access.jwe && isGood(this.#options, kept)) {
        return this.#replace(kept)
      }
      return await this.#renewal.renew(kept, async (renewed) => {
        // It may have ended while the server was thinking.
        const still = await readSession(this.#options.store)
        if (still?.session_id !== session_id) throw endedElsewhere()
        return this.#keep(renewed)
      })
    } catch (error) {
      if (hasCode(error, 'session_ended')) await this.#forget(session_id)
      throw error
    }
  }

  async #keep(session: LiveSession): Promise<LiveSession> {
    await writeSession(this.#options.store, session.stored)
    return this.#replace(session)
  }

  #replace(session: LiveSession): LiveSession {
    this.#session = this.#withKnown(session)
    this.#isOver = false
    this.#options.onChange()
    return this.#session
  }

  /** A renewed session is the same person's. */
  #withKnown(session: LiveSession): LiveSession {
    const before = this.#session
    const isSame = before?.stored.session_id === session.stored.session_id
    return isSame && before.known !== undefined ? { known: before.known, ...session } : session
  }

  /** @param sessionId Of the session that ended: another that is here by now stays. */
  async #forget(sessionId?: string): Promise<void> {
    const { store } = this.#options
    const isOwn = sessionId === undefined || this.#session?.stored.session_id === sessionId
    try {
      const kept = await readSession(store)
      if (sessionId === undefined || kept === undefined || kept.session_id === sessionId) {
        await forgetSession(store)
      }
    } finally {
      if (isOwn) this.#lose()
    }
  }

  #lose(): void {
    this.#session = undefined
    this.#isOver = true
    this.#options.onChange()
  }

  /** Removes what is left where there is no session. */
  async #sweep(): Promise<void> {
    const { store } = this.#options
    await store.exclusively(async () => {
      if ((await readSession(store)) === undefined) await forgetSession(store)
    })
  }

  async #onOtherPage(): Promise<void> {
    const { store } = this.#options
    const stored = await readSession(store)
    if (stored?.session_id === this.#session?.stored.session_id) return
    if (this.#session === undefined) this.#options.onChange()
    else this.#lose()
    // Those that this page has open, too; not that of somebody who signs in meanwhile.
    await store.exclusively(async () => {
      await store.removeVaults((await readSession(store))?.session_id)
    })
  }
}

/** Milliseconds to wait for other pages. */
const PATIENCE = 3000

const endedElsewhere = (): AuthError =>
  new AuthError('session_ended', 'The session was ended in another page.')

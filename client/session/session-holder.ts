import type { AccessTokenClaims } from '../../protocol/tokens.ts'
import { hasCode, notSignedIn } from '../errors.ts'
import type { Json } from '../json.ts'
import { within } from '../timers.ts'
import type { ClientKey } from '../token/client-key.ts'
import { readSignedIn, readTokenPair, type TokenPair } from './answers.ts'
import {
  isGood,
  nowFor,
  openerOf,
  openPair,
  openStored,
  type LiveSession,
  type OnlineContext,
} from './open-session.ts'
import { PageSession } from './page-session.ts'
import { Renewal, type TokenSource } from './refresher.ts'
import { revoke } from './revoke.ts'
import { forgetSession, readSession, writeSession } from './stored-session.ts'
import { openAccessToken, type OpenedToken } from './tokens.ts'

/** Holds the session of this page, in step with the store, which other pages may share. */
export class SessionHolder implements TokenSource {
  readonly #options: OnlineContext
  readonly #renewal: Renewal
  /** What this page has in memory. */
  readonly page = new PageSession()
  #renewing: { readonly of: string; readonly result: Promise<LiveSession> } | undefined

  constructor(options: OnlineContext) {
    this.#options = options
    this.#renewal = new Renewal(options, this.page)
    options.store.subscribe(() => {
      // What the store cannot say now, it says at the next request.
      this.#onOtherPage().catch(() => undefined)
    })
  }

  /** Seconds since the epoch, by the server's clock as far as it is known. */
  get now(): number {
    return nowFor(this.#options, this.page.session)
  }

  /**
   * Takes over what signing up or in has answered, if it is whole and meant for this client.
   *
   * @throws AuthError `bad_answer`, `token_invalid`
   */
  async begin(key: ClientKey, body: Json, url: string): Promise<LiveSession> {
    const { store } = this.#options
    const { account, session_id, database_key } = readSignedIn(body, url)
    const expected = { sessionId: session_id, subject: account.id }
    const session = await openPair(this.#options, key, expected, readTokenPair(body, url))
    const known = { account, databaseKey: database_key }
    const [kept, replaced] = await store.exclusively(async () => {
      const replaced = await readSession(store)
      // What earlier sessions have left: nobody has their keys any more.
      await store.removeVaults(session_id)
      await writeSession(store, session.stored)
      return [this.page.replace({ ...session, known }), replaced]
    })
    if (replaced !== undefined) await revoke(this.#options, replaced)
    return kept
  }

  /**
   * The session in the store, without asking the server whether it is alive; its token may have
   * expired. One that cannot be opened is none, and stays where it is: that it has ended is for the
   * server to say. The next sign-in takes its place.
   */
  async restore(): Promise<LiveSession | undefined> {
    try {
      const session = await openStored(this.#options)
      if (session !== undefined) return this.page.restore(session)
      // Of one that has ended, something may be left.
      await this.end(undefined)
    } catch (error) {
      if (!hasCode(error, 'token_invalid')) throw error
    }
    return undefined
  }

  /**
   * The session in memory, or, in a page that has had none yet, the one in the store.
   *
   * @throws AuthError `not_signed_in`
   */
  async current(): Promise<LiveSession> {
    const session = this.page.session ?? (this.page.isOver ? undefined : await this.restore())
    if (session === undefined) throw notSignedIn()
    return session
  }

  /** A session whose access token is still good for a moment: renewed if need be. */
  async fresh(): Promise<LiveSession> {
    const session = await this.current()
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
        .exclusively(() => this.#unlessEnded(of, () => this.#renewal.renew(used)))
        .finally(() => {
          if (this.#renewing === renewing) this.#renewing = undefined
        }),
    }
    this.#renewing = renewing
    return renewing.result
  }

  /**
   * Replaces the session's tokens by a pair that `ask` gets from the server. Nobody who shares the
   * store renews meanwhile: with the older tokens they would be told that the session has ended.
   *
   * @throws AuthError `session_ended`, after which nothing of it is left here; whatever `ask` throws.
   */
  async exchange(ask: (tokens: TokenSource) => Promise<TokenPair>): Promise<LiveSession> {
    const current = await this.current()
    return this.#options.store.exclusively(() =>
      this.#unlessEnded(current.stored.session_id, () => this.#renewal.exchange(current, ask)),
    )
  }

  /** The id of the session in memory, or, in a page that has had none yet, of the one in the store. */
  async id(): Promise<string | undefined> {
    if (this.page.session !== undefined || this.page.isOver) return this.page.id
    return (await readSession(this.#options.store))?.session_id
  }

  /** Forgets a session, here and in the store, and nobody else's; for none, what is left of one. */
  async end(sessionId: string | undefined): Promise<void> {
    const end = () => this.#forget(sessionId)
    // A renewal that gets no answer keeps everybody waiting; it finds the session gone when it ends.
    await within(PATIENCE, this.#options.store.exclusively(end), end)
  }

  /** The access token, opened once more: every check is made anew. */
  async reopen(session: LiveSession): Promise<OpenedToken<AccessTokenClaims>> {
    const opener = await openerOf(this.#options, session.stored)
    return openAccessToken(session.access.jwe, opener)
  }

  /** What the server, or another page, says has ended is forgotten. */
  async #unlessEnded(sessionId: string, work: () => Promise<LiveSession>): Promise<LiveSession> {
    try {
      return await work()
    } catch (error) {
      if (hasCode(error, 'session_ended')) await this.#forget(sessionId)
      // See `restore`.
      if (hasCode(error, 'not_signed_in')) this.page.lose()
      throw error
    }
  }

  /** See `end`. Another session that is here by now stays. */
  async #forget(sessionId: string | undefined): Promise<void> {
    const { store } = this.#options
    try {
      const kept = await readSession(store)
      if (kept === undefined || kept.session_id === sessionId) await forgetSession(store)
    } finally {
      if (sessionId !== undefined && this.page.id === sessionId) this.page.lose()
    }
  }

  async #onOtherPage(): Promise<void> {
    const { store } = this.#options
    const stored = await readSession(store)
    if (stored?.session_id === this.page.id) return
    if (this.page.session === undefined) this.page.changed.call()
    else this.page.lose()
    // Those that this page has open, too; not that of somebody who signs in meanwhile.
    await store.exclusively(async () => {
      await store.removeVaults((await readSession(store))?.session_id)
    })
  }
}

/** Milliseconds to wait for other pages. */
const PATIENCE = 3000

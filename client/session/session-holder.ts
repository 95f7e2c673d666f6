import type { ClientContext } from '../context.ts'
import { hasCode, notSignedIn } from '../errors.ts'
import { within } from '../timers.ts'
import { invalid } from '../token-error.ts'
import { checkTimes } from '../token/check-claims.ts'
import type { TokenPair } from './answers.ts'
import {
  curveOf,
  isUsable,
  keyOf,
  openerOf,
  openStored,
  serverTime,
  type OpenSession,
} from './open-session.ts'
import { Refresher, type TokenSource } from './refresher.ts'
import { SessionInMemory } from './session-in-memory.ts'
import { isDamaged, readSession, removeSession } from './stored-session.ts'
import { openAccessToken, type OpenedToken } from './tokens.ts'

/** Keeps this page's session in step with the store, which other pages may share. */
export class SessionHolder implements TokenSource {
  readonly memory = new SessionInMemory()
  readonly #context: ClientContext
  readonly #refresher: Refresher
  #refreshing: { readonly sessionId: string; readonly result: Promise<OpenSession> } | undefined

  constructor(context: ClientContext) {
    this.#context = context
    this.#refresher = new Refresher(context, this.memory)
    this.memory.changed.add(() => {
      if (this.memory.session === undefined) context.proofKeys.forget()
    })
    context.store.subscribe(() => {
      // If the store fails now, the next request will read it again.
      this.#onOtherPage().catch(() => undefined)
    })
  }

  /** Seconds since the epoch, by the server's clock as estimated. */
  get now(): number {
    return serverTime(this.#context, this.memory.session)
  }

  /**
   * Loads the session from the store into memory, without asking the server whether it is alive. Its
   * access token may have expired. A session that cannot be opened is ignored, but stays in the store
   * until the next sign-in replaces it, because only the server may declare a session ended.
   */
  async load(): Promise<OpenSession | undefined> {
    try {
      const session = await openStored(this.#context)
      if (session === undefined) {
        // Vaults of an ended session may remain.
        await this.forget(undefined)
        return undefined
      }
      // It may have ended, or another may have begun, while the server's keys were fetched.
      if (!(await this.#isStored(session))) return await this.load()
      return this.memory.load(this.#checkBinding(session))
    } catch (error) {
      if (!hasCode(error, 'token_invalid')) throw error
      this.#context.onRefused?.(error)
      return undefined
    }
  }

  /**
   * The session in memory, or the session in the store if this page has not had one yet.
   *
   * @throws AuthError `not_signed_in`
   */
  async current(): Promise<OpenSession> {
    const session = this.memory.session ?? (this.memory.isOver ? undefined : await this.load())
    if (session === undefined) throw notSignedIn()
    return session
  }

  async usable(): Promise<OpenSession> {
    const session = await this.current()
    return isUsable(this.#context, session) ? session : this.refresh(session)
  }

  /**
   * The session with a newer access token than that of `used`. Concurrent calls, even in several
   * pages, use up only one refresh token.
   *
   * @throws AuthError `session_ended`, after removing the session from this device; `network`.
   */
  refresh(used: OpenSession): Promise<OpenSession> {
    const sessionId = used.stored.session_id
    if (this.#refreshing?.sessionId === sessionId) return this.#refreshing.result
    const result = this.#exclusively(sessionId, () => this.#refresher.refresh(used))
    const refreshing = {
      sessionId,
      result: result.finally(() => {
        if (this.#refreshing === refreshing) this.#refreshing = undefined
      }),
    }
    this.#refreshing = refreshing
    return refreshing.result
  }

  /**
   * Replaces the session's tokens with a pair that `ask` requests. No page refreshes meanwhile, because
   * the server would refuse the older tokens as ended.
   *
   * @throws AuthError `session_ended`, after removing the session from this device; whatever `ask`
   *   throws.
   */
  async replaceTokens(ask: (tokens: TokenSource) => Promise<TokenPair>): Promise<void> {
    const session = await this.current()
    await this.#exclusively(session.stored.session_id, () => this.#refresher.replace(session, ask))
  }

  /** The id of the session in memory, or in the store if this page has not had a session yet. */
  async id(): Promise<string | undefined> {
    if (this.memory.session !== undefined || this.memory.isOver) return this.memory.id
    return (await readSession(this.#context.store))?.session_id
  }

  /** Forgets only this session, in memory and in the store. `undefined` clears remains of an ended session. */
  async forget(sessionId: string | undefined): Promise<void> {
    const forget = () => this.#forget(sessionId)
    // Do not wait for a refresh without an answer. It will find the session gone.
    await within(PATIENCE, this.#context.store.exclusively(forget), forget)
  }

  /**
   * The current access token, decrypted and verified again.
   *
   * @throws AuthError `token_invalid`, `token_expired`
   */
  async accessToken(): Promise<OpenedToken> {
    const { stored, access } = await this.current()
    const key = await keyOf(this.#context.store, stored)
    const token = await openAccessToken(access.jwe, await openerOf(this.#context, key))
    checkTimes(token.claims, this.now)
    return token
  }

  /** Whether this session, in whatever state, is the one in the store now. */
  async #isStored({ stored }: OpenSession): Promise<boolean> {
    return (await readSession(this.#context.store))?.session_id === stored.session_id
  }

  /** @throws AuthError `token_invalid` for a session that is not key-bound and has to be. */
  #checkBinding(session: OpenSession): OpenSession {
    const { keyBoundTokens } = this.#context
    if (keyBoundTokens === 'required' && curveOf(session) === undefined) throw invalid('cnf')
    return session
  }

  /** Runs `work` with the store's lock, and forgets the session if it turns out to have ended. */
  #exclusively(sessionId: string, work: () => Promise<OpenSession>): Promise<OpenSession> {
    return this.#context.store.exclusively(async () => {
      try {
        return await work()
      } catch (error) {
        if (hasCode(error, 'session_ended')) await this.#forget(sessionId)
        // Ends it in memory only: see `load`.
        if (hasCode(error, 'not_signed_in')) this.memory.forget()
        throw error
      }
    })
  }

  async #forget(sessionId: string | undefined): Promise<void> {
    const { store } = this.#context
    try {
      const stored = await readSession(store)
      if (stored === undefined || stored.session_id === sessionId) await removeSession(store)
    } finally {
      if (sessionId !== undefined && this.memory.id === sessionId) this.memory.forget()
    }
  }

  async #onOtherPage(): Promise<void> {
    const { store } = this.#context
    const stored = await readSession(store)
    if (stored?.session_id === this.memory.id) return
    if (this.memory.session === undefined) this.memory.changed.call()
    else this.memory.forget()
    // Also removes vaults that this page has open, but not the vault of a session that begins now.
    await store.exclusively(async () => {
      // Nor of one that this version cannot read.
      if (await isDamaged(store)) return
      await store.removeVaults((await readSession(store))?.session_id)
    })
  }
}

/** Milliseconds to wait for other pages. */
const PATIENCE = 3000

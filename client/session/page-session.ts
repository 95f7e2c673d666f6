import { sessionEnded } from '../errors.ts'
import type { Account } from './answers.ts'
import { Listeners } from './listeners.ts'
import type { KnownSession, LiveSession } from './open-session.ts'

/** The session as this page has it in memory. */
export class PageSession {
  /** Called when the session has begun, been renewed or ended, in this page or another. */
  readonly changed = new Listeners()
  #session: LiveSession | undefined
  /** Somebody was signed in here and is no more: who signs in elsewhere is not taken for them. */
  #isOver = false

  get session(): LiveSession | undefined {
    return this.#session
  }

  get id(): string | undefined {
    return this.#session?.stored.session_id
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Takes a session over from the store, without a word. */
  restore(session: LiveSession): LiveSession {
    const before = this.#session
    const isSame = this.id === session.stored.session_id
    // What is known of a person stays known when their session is renewed.
    this.#session =
      isSame && before?.known !== undefined ? { known: before.known, ...session } : session
    this.#isOver = false
    return this.#session
  }

  /** Takes over a session that has begun or been renewed. */
  replace(session: LiveSession): LiveSession {
    const replaced = this.restore(session)
    this.changed.call()
    return replaced
  }

  lose(): void {
    this.#session = undefined
    this.#isOver = true
    this.changed.call()
  }

  /**
   * Adds what the server has said of a session, which may have been renewed meanwhile.
   *
   * @throws AuthError `session_ended` when it is no longer this page's.
   */
  know(sessionId: string, known: KnownSession['known']): KnownSession {
    const current = this.#session
    if (current?.stored.session_id !== sessionId) throw sessionEnded()
    const session = { ...current, known }
    this.replace(session)
    return session
  }

  /** Takes over what has changed in the account of the one who is signed in. */
  rename(account: Account): void {
    const session = this.#session
    if (session?.known === undefined || account.id !== session.access.claims.sub) return
    this.replace({ ...session, known: { ...session.known, account } })
  }
}

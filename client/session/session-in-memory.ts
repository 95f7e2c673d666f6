import type { Account } from '../../protocol/account.ts'
import type { AccessTokenClaims } from '../../protocol/tokens.ts'
import { sessionEnded } from '../errors.ts'
import type { AccountAnswer } from './answers.ts'
import { Listeners } from './listeners.ts'
import type { ConfirmedSession, OpenSession } from './open-session.ts'

/** The signed-in session, for the app to show. */
export interface Session {
  readonly sessionId: string
  readonly clientId: string
  readonly claims: AccessTokenClaims
  /** When the access token expires: milliseconds since the epoch, by this machine's clock. */
  readonly expiresAt: number
  /** `undefined` until the server has been asked since startup. */
  readonly account: Account | undefined
}

/** What the app is shown of a session. */
export const describe = ({ stored, access, answer }: OpenSession): Session => ({
  sessionId: stored.session_id,
  clientId: stored.client_id,
  claims: access.claims,
  expiresAt: (access.claims.exp - stored.clock_offset) * 1000,
  account: answer?.account,
})

/** The session in this page's memory. Other pages may share the store. */
export class SessionInMemory {
  /**
   * Called when a session begins or ends, in this page or another, and when this page refreshes it
   * or receives its account.
   */
  readonly changed = new Listeners()
  #session: OpenSession | undefined
  /** Whether a session has ended in this page, which then ignores sessions that begin elsewhere. */
  #isOver = false

  get session(): OpenSession | undefined {
    return this.#session
  }

  get id(): string | undefined {
    return this.#session?.stored.session_id
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Adopts a session that was in the store already, without calling the listeners. */
  load(session: OpenSession): OpenSession {
    const answer = this.id === session.stored.session_id ? this.#session?.answer : undefined
    this.#session = answer === undefined ? session : { answer, ...session }
    this.#isOver = false
    return this.#session
  }

  /** Adopts a new or refreshed session, and calls the listeners. */
  set(session: OpenSession): OpenSession {
    const adopted = this.load(session)
    this.changed.call()
    return adopted
  }

  /**
   * Adds the server's answer about the session, which may have been refreshed in the meantime.
   *
   * @throws AuthError `session_ended` if the answer is no longer about this page's session.
   */
  confirm(answer: AccountAnswer): ConfirmedSession {
    if (this.#session?.stored.session_id !== answer.session_id) throw sessionEnded()
    const session = { ...this.#session, answer }
    this.set(session)
    return session
  }

  /** Forgets the session, and ignores sessions that begin elsewhere until the app asks for one. */
  forget(): void {
    this.#session = undefined
    this.#isOver = true
    this.changed.call()
  }
}

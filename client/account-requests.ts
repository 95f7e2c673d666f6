import type { AuthServer } from './discovery/server.ts'
import { json, readAnswer, send, type Fetch } from './http.ts'
import type { Json } from './json.ts'
import type { DerivePassword } from './passwords.ts'
import type { SignedIn } from './signed-in.ts'
import type { SessionHolder } from './session/session-holder.ts'
import {
  readAccount,
  readAccountAnswer,
  readSessions,
  readTokenPair,
  type Account,
  type AccountAnswer,
  type SessionEntry,
} from './session/answers.ts'

interface RequestOptions {
  readonly server: AuthServer
  readonly fetch: Fetch
  readonly holder: SessionHolder
  readonly signedIn: SignedIn
  readonly derive: DerivePassword
}

/** What a person can do to their account. Each throws AuthError with the server's code. */
export class AccountRequests {
  readonly #options: RequestOptions

  constructor(options: RequestOptions) {
    this.#options = options
  }

  /** Who is signed in, and the key to their local data, as the server says it now. */
  async read(): Promise<AccountAnswer> {
    return readAccountAnswer(await this.#request('/account'), '/account')
  }

  async rename(name: string): Promise<Account> {
    const { account } = await this.#request('/account', json({ name }, 'PATCH'))
    const renamed = readAccount(account, '/account')
    this.#options.holder.page.rename(renamed)
    return renamed
  }

  /**
   * Changes the password. Every other session ends, and so does every older token of this one. When
   * this resolves, the fresh tokens are kept.
   *
   * @throws AuthError `invalid_grant` for a wrong password. After `network` or `store_failed` the
   *   password may have been changed, so try again: `invalid_grant` then means that it was;
   *   `session_ended` that the fresh tokens are lost, and this session's vault with them.
   */
  async changePassword(current: string, fresh: string): Promise<void> {
    const { derive, holder, signedIn } = this.#options
    const address = await this.#address()
    const body = {
      current_password: await derive(current, address, false),
      new_password: await derive(fresh, address, true),
    }
    const path = '/account/password'
    await holder.exchange(async (tokens) =>
      readTokenPair(await readAnswer(await signedIn.send(path, json(body, 'PUT'), tokens)), path),
    )
  }

  /** The account and everything of it is gone, on the server and here. */
  async remove(password: string): Promise<void> {
    const { derive, holder, signedIn } = this.#options
    const { stored, known } = await signedIn.known()
    const derived = await derive(password, known.account.email, false)
    await this.#request('/account', json({ password: derived }, 'DELETE'))
    await holder.end(stored.session_id)
  }

  /** Where the account is signed in. */
  async sessions(): Promise<SessionEntry[]> {
    return readSessions(await this.#request('/account/sessions'), '/account/sessions')
  }

  async endSession(sessionId: string): Promise<void> {
    const path = `/account/sessions/${encodeURIComponent(sessionId)}`
    await this.#request(path, { method: 'DELETE' })
  }

  async endOtherSessions(): Promise<void> {
    await this.#request('/account/sessions', { method: 'DELETE' })
  }

  /** Has a reset token sent to an address. Nobody learns here whether there is an account. */
  async requestPasswordReset(email: string): Promise<void> {
    await this.#post('/account/password-reset', json({ email }))
  }

  /** Sets a new password with the token from the message. Every session of the account ends. */
  async resetPassword(reset: { email: string; token: string; password: string }): Promise<void> {
    const password = await this.#options.derive(reset.password, reset.email, true)
    await this.#post(
      '/account/password-reset',
      json({ token: reset.token, new_password: password }, 'PUT'),
    )
  }

  /** Without a session. */
  async #post(path: string, init: RequestInit): Promise<void> {
    const { server, fetch } = this.#options
    await readAnswer(await send(fetch, server.baseUrl + path, init))
  }

  async #request(path: string, init?: RequestInit): Promise<Json> {
    return readAnswer(await this.#options.signedIn.send(path, init))
  }

  /** Of whoever is signed in. */
  async #address(): Promise<string> {
    return (await this.#options.signedIn.known()).known.account.email
  }
}

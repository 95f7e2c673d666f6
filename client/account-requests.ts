import type { Account } from '../protocol/account.ts'
import type { ClientContext } from './context.ts'
import { json, readAnswer, send } from './http.ts'
import type { Json } from './json.ts'
import type { SignedIn } from './signed-in.ts'
import type { SessionHolder } from './session/session-holder.ts'
import {
  readAccount,
  readSessions,
  readTokenPair,
  type AccountAnswer,
  type SessionEntry,
} from './session/answers.ts'

/** What people can do with their account. Every method throws AuthError with the server's code. */
export class AccountRequests {
  readonly #context: ClientContext
  readonly #holder: SessionHolder
  readonly #signedIn: SignedIn

  constructor(context: ClientContext, holder: SessionHolder, signedIn: SignedIn) {
    this.#context = context
    this.#holder = holder
    this.#signedIn = signedIn
  }

  /** Asks the server who is signed in, and for the key to their local data. */
  async read(): Promise<AccountAnswer> {
    return this.#signedIn.readAccount()
  }

  async rename(name: string): Promise<Account> {
    const { account } = await this.#request('/account', json({ name }, 'PATCH'))
    const renamed = readAccount(account, '/account')
    const { page } = this.#holder
    const answer = page.session?.answer
    if (answer?.account.id === renamed.id) page.confirm({ ...answer, account: renamed })
    return renamed
  }

  /**
   * Changes the password. Every other session ends, and so does every older token of this one. When
   * this resolves, the new tokens are stored.
   *
   * @throws AuthError `invalid_grant` for a wrong password. After `network` or `store_failed` the
   *   password may have been changed, so try again: `invalid_grant` then means that it was, and
   *   `session_ended` that the new tokens are lost, and this session's vault with them.
   */
  async changePassword(current: string, fresh: string): Promise<void> {
    const { derivePassword } = this.#context
    const { email } = (await this.#signedIn.confirmed()).answer.account
    const body = {
      current_password: await derivePassword(current, email, false),
      new_password: await derivePassword(fresh, email, true),
    }
    const path = '/account/password'
    await this.#holder.replaceTokens(async (tokens) => {
      const response = await this.#signedIn.send(path, json(body, 'PUT'), tokens)
      return readTokenPair(await readAnswer(response), path)
    })
  }

  /**
   * Removes the account and everything that belongs to it, on the server and here.
   *
   * @param proof The password, or a fresh ID token of one of the account's identities.
   */
  async remove(proof: string | { subjectToken: string }): Promise<void> {
    const { account, session_id } = (await this.#signedIn.confirmed()).answer
    const body =
      typeof proof === 'string'
        ? { password: await this.#context.derivePassword(proof, account.email, false) }
        : { subject_token: proof.subjectToken }
    await this.#request('/account', json(body, 'DELETE'))
    await this.#holder.end(session_id)
  }

  /** Lists where the account is signed in. */
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

  /** Asks for a reset token by mail. The answer does not tell whether there is an account. */
  async requestPasswordReset(email: string): Promise<void> {
    await this.#post('/account/password-reset', json({ email }))
  }

  /** Sets a new password with the token from the mail. Every session of the account ends. */
  async resetPassword(reset: { email: string; token: string; password: string }): Promise<void> {
    const password = await this.#context.derivePassword(reset.password, reset.email, true)
    await this.#post(
      '/account/password-reset',
      json({ token: reset.token, new_password: password }, 'PUT'),
    )
  }

  /** Needs no session. */
  async #post(path: string, init: RequestInit): Promise<void> {
    const { server, fetch } = this.#context
    await readAnswer(await send(fetch, server.baseUrl + path, init))
  }

  async #request(path: string, init?: RequestInit): Promise<Json> {
    return readAnswer(await this.#signedIn.send(path, init))
  }
}

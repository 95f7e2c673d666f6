import type { Account } from '../protocol/account.ts'
import type { ClientContext } from './context.ts'
import { json, readAnswer } from './http.ts'
import type { Json } from './json.ts'
import { sendJson } from './sealing/send-json.ts'
import {
  readAccount,
  readSessions,
  readTokenPair,
  type AccountAnswer,
  type SessionEntry,
} from './session/answers.ts'
import type { SessionHolder } from './session/session-holder.ts'
import type { SignedInRequests } from './signed-in-requests.ts'

const RESET = '/account/password-reset'

/** What people can do with their account. Every method throws AuthError with the server's code. */
export class AccountRequests {
  readonly #context: ClientContext
  readonly #holder: SessionHolder
  readonly #signedIn: SignedInRequests

  constructor(context: ClientContext, holder: SessionHolder, signedIn: SignedInRequests) {
    this.#context = context
    this.#holder = holder
    this.#signedIn = signedIn
  }

  /**
   * Asks the server who is signed in, and for the key to their local data.
   *
   * @example
   * const { account } = await auth.account.read()
   */
  async read(): Promise<AccountAnswer> {
    return this.#signedIn.readAccount()
  }

  /** Changes the display name. */
  async rename(name: string): Promise<Account> {
    const { account } = await this.#request('/account', json({ name }, 'PATCH'))
    const renamed = readAccount(account, '/account')
    const { memory } = this.#holder
    const answer = memory.session?.answer
    if (answer?.account.id === renamed.id) memory.confirm({ ...answer, account: renamed })
    return renamed
  }

  /**
   * Changes the password, and ends every other session and every older token of this session. The new
   * tokens are stored by the time it resolves.
   *
   * @throws AuthError `invalid_grant` for a wrong password. After `network` or `store_failed`, try
   *   again, because the password may have changed. `invalid_grant` then means that it has.
   *   `session_ended` then means that the new tokens and this session's vault are lost.
   * @example
   * await auth.account.changePassword(currentPassword, newPassword)
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
   * Removes the account and all its data, on the server and on this device.
   *
   * @param proof The password, or a fresh ID token of one of the account's identities.
   * @example
   * await auth.account.remove(password)
   */
  async remove(proof: string | { subjectToken: string }): Promise<void> {
    const { account, session_id } = (await this.#signedIn.confirmed()).answer
    const body =
      typeof proof === 'string'
        ? { password: await this.#context.derivePassword(proof, account.email, false) }
        : { subject_token: proof.subjectToken }
    await this.#request('/account', json(body, 'DELETE'))
    await this.#holder.forget(session_id)
  }

  /** Lists the account's sessions. */
  async sessions(): Promise<SessionEntry[]> {
    return readSessions(await this.#request('/account/sessions'), '/account/sessions')
  }

  /** Ends one of the account's sessions, which may be this one. */
  async endSession(sessionId: string): Promise<void> {
    const path = `/account/sessions/${encodeURIComponent(sessionId)}`
    await this.#request(path, { method: 'DELETE' })
  }

  /** Ends every session of the account except this one. */
  async endOtherSessions(): Promise<void> {
    await this.#request('/account/sessions', { method: 'DELETE' })
  }

  /** Requests a reset token by mail. The result is the same whether or not the account exists. */
  async requestPasswordReset(email: string): Promise<void> {
    await readAnswer(await sendJson(this.#context, RESET, { email }, 'POST'))
  }

  /**
   * Sets a new password with the token from the mail, and ends every session of the account.
   *
   * @example
   * await auth.account.resetPassword({ email, token, password: newPassword })
   */
  async resetPassword(reset: { email: string; token: string; password: string }): Promise<void> {
    const new_password = await this.#context.derivePassword(reset.password, reset.email, true)
    const body = { token: reset.token, new_password }
    await readAnswer(await sendJson(this.#context, RESET, body, 'PUT'))
  }

  async #request(path: string, init?: RequestInit): Promise<Json> {
    return readAnswer(await this.#signedIn.send(path, init))
  }
}

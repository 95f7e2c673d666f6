import type { ClientContext } from './context.ts'
import { isBelow } from './discovery/base-url.ts'
import { AuthError, sealingRequired } from './errors.ts'
import { badAnswer, readAnswer, TIMEOUT, unreachable } from './http.ts'
import { sealedFetch } from './sealed-fetch.ts'
import { readAccountAnswer, type AccountAnswer } from './session/answers.ts'
import { isConfirmed, type ConfirmedSession, type OpenSession } from './session/open-session.ts'
import type { TokenSource } from './session/refresher.ts'
import type { SessionHolder } from './session/session-holder.ts'

/** Sends requests with the signed-in user's access token. */
export class SignedInRequests {
  readonly #context: ClientContext
  readonly #holder: SessionHolder

  constructor(context: ClientContext, holder: SessionHolder) {
    this.#context = context
    this.#holder = holder
  }

  /** See AuthClient.fetch. */
  async fetch(
    input: string | URL | Request,
    init?: RequestInit,
    tokens: TokenSource = this.#holder,
  ): Promise<Response> {
    const { server, readers } = this.#context
    const isPath = typeof input === 'string' && input.startsWith('/')
    const common: RequestInit = { credentials: 'omit', redirect: 'error' }
    const request = new Request(isPath ? server.baseUrl + input : input, { ...common, ...init })
    const [reader] = readers
      .filter((each) => isBelow(request.url, each.baseUrl))
      // If one base URL is a prefix of another, the longer one wins.
      .sort((a, b) => b.baseUrl.length - a.baseUrl.length)
    if (reader !== undefined) return sealedFetch(this.#context, tokens, reader, request)
    throw new AuthError(
      'origin_not_allowed',
      `${new URL(request.url).origin} is neither the server nor one of "services".`,
    )
  }

  /** Sends one of the library's own requests to a path of the server, with a time limit. */
  async send(path: string, init?: RequestInit, tokens?: TokenSource): Promise<Response> {
    const signal = AbortSignal.timeout(TIMEOUT)
    try {
      return await this.fetch(path, { ...init, signal }, tokens)
    } catch (error) {
      throw signal.aborted ? unreachable(this.#context.server.baseUrl + path, error) : error
    }
  }

  async readAccount(): Promise<AccountAnswer> {
    return readAccountAnswer(await readAnswer(await this.send('/account')), '/account')
  }

  /**
   * Asks the server whether the session is still alive.
   *
   * @throws AuthError `session_ended`; `bad_answer` if the answer is incomplete or about another
   *   session, in which case the session stays.
   */
  async confirm({ stored, access }: OpenSession): Promise<ConfirmedSession> {
    const answer = await this.readAccount()
    const isOurs =
      answer.session_id === stored.session_id && answer.account.id === access.claims.sub
    if (!isOurs) throw badAnswer('/account')
    return this.#holder.memory.confirm(answer)
  }

  /** The session, confirmed now if it has not been confirmed since startup. */
  async confirmed(): Promise<ConfirmedSession> {
    const session = await this.#holder.current()
    return isConfirmed(session) ? session : this.confirm(session)
  }

  /**
   * The id of the session and the key to its vault; `null` if the server has lost that.
   *
   * @throws AuthError `sealing_required`
   */
  async databaseKey(): Promise<{ readonly sessionId: string; readonly key: string | null }> {
    let session = await this.confirmed()
    // This client may have missed the server's offer to seal, and see it now.
    if (session.answer.database_key === undefined) session = await this.confirm(session)
    const { session_id: sessionId, database_key: key } = session.answer
    if (key === undefined) throw sealingRequired()
    return { sessionId, key }
  }
}

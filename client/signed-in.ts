import { isBelow } from './discovery/base-url.ts'
import type { Reader } from './discovery/reader.ts'
import { AuthError } from './errors.ts'
import { badAnswer, readAnswer, TIMEOUT, unreachable, type Fetch } from './http.ts'
import { sealedFetch } from './sealed-fetch.ts'
import { readAccountAnswer } from './session/answers.ts'
import { isKnown, type KnownSession, type LiveSession } from './session/open-session.ts'
import type { TokenSource } from './session/refresher.ts'
import type { SessionHolder } from './session/session-holder.ts'

interface SignedInOptions {
  readonly fetch: Fetch
  readonly holder: SessionHolder
  /** The server's own base URL. */
  readonly baseUrl: string
  /** Whoever may be sent a token, the server among them. */
  readonly readers: readonly Reader[]
}

/** Requests as the one who is signed in. */
export class SignedIn {
  readonly #options: SignedInOptions

  constructor(options: SignedInOptions) {
    this.#options = options
  }

  /** See AuthClient. */
  async fetch(
    input: string | URL | Request,
    init?: RequestInit,
    tokens: TokenSource = this.#options.holder,
  ): Promise<Response> {
    const { fetch, baseUrl, readers } = this.#options
    const isPath = typeof input === 'string' && input.startsWith('/')
    const common: RequestInit = { credentials: 'omit', redirect: 'error' }
    const request = new Request(isPath ? baseUrl + input : input, { ...common, ...init })
    const [reader] = readers
      .filter((each) => isBelow(request.url, each.baseUrl))
      // Of two that begin alike, the longer one is meant.
      .sort((a, b) => b.baseUrl.length - a.baseUrl.length)
    if (reader !== undefined) return sealedFetch(fetch, tokens, reader, request)
    throw new AuthError(
      'origin_not_allowed',
      `${new URL(request.url).origin} is neither the server nor one of "services".`,
    )
  }

  /** Sends to a path of the server, within the library's own time limit. */
  async send(path: string, init?: RequestInit, tokens?: TokenSource): Promise<Response> {
    const signal = AbortSignal.timeout(TIMEOUT)
    try {
      return await this.fetch(path, { ...init, signal }, tokens)
    } catch (error) {
      throw signal.aborted ? unreachable(this.#options.baseUrl + path, error) : error
    }
  }

  /**
   * Asks the server who is signed in, which tells whether the session is alive.
   *
   * @throws AuthError `session_ended`; `bad_answer` for an answer that is not whole, or speaks of
   *   another session. That is no verdict on this one, which stays.
   */
  async ask({ stored, access }: LiveSession): Promise<KnownSession> {
    const { holder } = this.#options
    const { session_id } = stored
    const body = await readAnswer(await this.send('/account'))
    const { account, database_key, ...answer } = readAccountAnswer(body, '/account')
    const isOurs = answer.session_id === session_id && account.id === access.claims.sub
    if (!isOurs) throw badAnswer('/account')
    return holder.page.know(session_id, { account, databaseKey: database_key })
  }

  /** The session, with what only the server says of it: asked, if it has not been since the start. */
  async known(): Promise<KnownSession> {
    const session = await this.#options.holder.current()
    return isKnown(session) ? session : this.ask(session)
  }
}

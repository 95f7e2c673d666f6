import { AccountRequests } from './account-requests.ts'
import { baseUrlOf, isBelow } from './discovery/base-url.ts'
import type { Reader } from './discovery/reader.ts'
import { createServer, type AuthServer } from './discovery/server.ts'
import { createService } from './discovery/service.ts'
import { AuthError, hasCode } from './errors.ts'
import { badAnswer, json, readAnswer, send, TIMEOUT, unreachable, type Fetch } from './http.ts'
import type { Json } from './json.ts'
import type { AuthClientOptions } from './options.ts'
import { asTyped, type DerivePassword } from './passwords.ts'
import { readConfiguration, register } from './registration.ts'
import { sealedFetch } from './sealed-fetch.ts'
import { readAccountAnswer } from './session/answers.ts'
import { isKnown, type KnownSession, type LiveSession } from './session/live-session.ts'
import { Listeners } from './session/listeners.ts'
import { SessionHolder } from './session/session-holder.ts'
import { present, type Session } from './session/session.ts'
import type { OpenedToken } from './session/tokens.ts'
import type { ClientStore } from './stores/client-store.ts'
import { within } from './timers.ts'
import { checkAccessClaims, checkTimes, type AccessTokenClaims } from './token/claims.ts'
import type { ClientKey } from './token/client-key.ts'
import { verify } from './token/verify.ts'
import { openVault, type Vault } from './vault/vault.ts'

/**
 * The client's half of the protocol, for one server. Nothing that the server sends is believed
 * before it has been opened with this client's key and verified with the server's.
 */
export class AuthClient {
  /** What a signed-in person can do to their account. */
  readonly account: AccountRequests
  readonly #options: AuthClientOptions
  readonly #context: { server: AuthServer; store: ClientStore; fetch: Fetch; clock: () => number }
  readonly #readers: readonly Reader[]
  readonly #holder: SessionHolder
  readonly #derive: DerivePassword
  readonly #listeners = new Listeners()

  /** @throws AuthError `insecure_server` */
  constructor(options: AuthClientOptions) {
    const { store, services = [], clock = Date.now, maxKeyAge = 86_400 } = options
    const { fetch = (request: Request) => globalThis.fetch(request), derivePassword = asTyped } =
      options
    const baseUrl = baseUrlOf(options.server)
    const { issuer = baseUrl } = options
    const common = { store, fetch, clock }
    const server = createServer({ ...common, baseUrl, issuer, maxKeyAge: maxKeyAge * 1000 })
    const others = services.map((service) =>
      createService({ ...common, server, baseUrl: baseUrlOf(service) }),
    )
    this.#options = options
    this.#context = { ...common, server }
    // Of two that begin alike, the longer one is meant.
    this.#readers = [server, ...others].sort((a, b) => b.baseUrl.length - a.baseUrl.length)
    this.#derive = derivePassword
    this.#holder = new SessionHolder({
      ...this.#context,
      onChange: () => {
        this.#listeners.call()
      },
    })
    this.account = new AccountRequests({
      server,
      fetch,
      derive: derivePassword,
      sendSignedIn: (path, init) => this.#send(path, init),
      address: async () => (await this.#known()).known.account.email,
      onChange: (account) => {
        this.#holder.rename(account)
      },
      endWith: async (work) => {
        const { stored } = await this.#holder.present()
        await work()
        await this.#holder.end(stored.session_id)
      },
    })
  }

  /** Who is signed in, as far as this page knows: call `resume` once at the start. */
  get session(): Session | undefined {
    return present(this.#holder.session)
  }

  /** Calls back when the session has begun, been renewed or ended here, or begun or ended in another tab. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener)
  }

  /**
   * Registers this installation's public key, making the key if there is none that fits. Signing up
   * and in do it by themselves; the same key again is the same client.
   */
  async register(): Promise<ClientKey> {
    return register(this.#context, this.#options.clientName)
  }

  /** Makes an account and signs it in. @throws AuthError, `account_exists` for one. */
  async signUp(person: { email: string; password: string; name?: string }): Promise<Session> {
    return this.#begin(SIGN_UP, person)
  }

  /** @throws AuthError, `invalid_grant` for an address and a password that do not belong together. */
  async signIn(person: { email: string; password: string }): Promise<Session> {
    return this.#begin('/account/login', person)
  }

  /**
   * Finds out at the start whether somebody is still signed in: what is kept here must be whole, and
   * the server must agree. If anything is missing, what is left is removed, without a word. Later, it
   * finds out whether they still are; nobody else takes their place.
   *
   * @throws AuthError `network`, `keys_too_old` when the server cannot be asked. Nothing is removed then.
   */
  async resume(): Promise<Session | undefined> {
    const session = this.#holder.session ?? (await this.#holder.restore())
    if (session === undefined) return undefined
    try {
      return present(await this.#ask(session))
    } catch (error) {
      if (!hasCode(error, 'session_ended')) throw error
      return undefined
    }
  }

  /**
   * Ends the session. Here it is over within seconds in any case; `false` when the server could not be
   * told so soon. Then it may keep the session until it expires.
   */
  async signOut(): Promise<boolean> {
    const told = this.#send('/account/logout', { method: 'POST' }).then(
      (response) => response.ok,
      (error: unknown) => hasCode(error, 'session_ended'),
    )
    const sessionId = await this.#holder.id()
    const isTold = await within(PATIENCE, told, () => false)
    await this.#holder.end(sessionId)
    return isTold
  }

  /** Renews the tokens now. `fetch` does it by itself when it has to. */
  async refresh(): Promise<Session> {
    return present(await this.#holder.renew(await this.#holder.present()))
  }

  /**
   * The access token, opened and verified anew, layer by layer. Also while the server is away, as
   * long as its cached keys are not older than `maxKeyAge`.
   *
   * @throws AuthError `not_signed_in`, `token_invalid`, `token_expired`, `keys_too_old`
   */
  async accessToken(): Promise<OpenedToken<AccessTokenClaims>> {
    const token = await this.#holder.reopen(await this.#holder.present())
    checkTimes(token.claims, this.#holder.now)
    return token
  }

  /**
   * Whether a JWS is an access token that the server has signed for this client: its claims, if so.
   * As `accessToken`, it works while the server is away.
   *
   * @throws AuthError `token_invalid`, `token_expired`, `keys_too_old`
   */
  async verify(jws: string): Promise<AccessTokenClaims> {
    const key = await this.#options.store.loadKey()
    const { issuer } = await this.#context.server.info()
    const { payload } = await verify(jws, 'at+jwt', this.#context.server.verificationKeys)
    const claims = checkAccessClaims(payload, { issuer, clientId: key?.id ?? '' })
    checkTimes(claims, this.#holder.now)
    return claims
  }

  /**
   * `fetch`, as the one who is signed in: with the access token, sealed for the one who reads it and
   * bound to this one request. Renews an expired token once, and seals again once when the keys have
   * rotated.
   *
   * @param input A path of the server, or a URL of the server or of one of `services`.
   * @throws AuthError `not_signed_in`, `session_ended`, `network`, `origin_not_allowed`
   */
  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const path = typeof input === 'string' && input.startsWith('/') ? input : undefined
    const request = new Request(path === undefined ? input : this.#context.server.baseUrl + path, {
      credentials: 'omit',
      redirect: 'error',
      ...init,
    })
    const reader = this.#readers.find(({ baseUrl }) => isBelow(request.url, baseUrl))
    if (reader === undefined) {
      throw new AuthError(
        'origin_not_allowed',
        `${new URL(request.url).origin} is neither the server nor one of "services".`,
      )
    }
    return sealedFetch(this.#context.fetch, this.#holder, reader, request)
  }

  /**
   * Local data of this session, encrypted: see vault/vault.ts.
   *
   * @throws AuthError `not_signed_in`; `network` as long as the server has not been reached since the
   *   start: it alone has the key.
   */
  async vault(): Promise<Vault> {
    const { known, stored } = await this.#known()
    const storage = this.#context.store.vault(stored.session_id)
    return openVault(storage, known.databaseKey, stored.session_id)
  }

  /** What the server says to this client alone about its tokens. */
  async configuration(): Promise<Json> {
    const key = (await this.#options.store.loadKey()) ?? (await this.register())
    return readConfiguration(this.#context, key)
  }

  async #begin(path: string, person: { email: string; password: string }): Promise<Session> {
    const key = await this.register()
    const password = await this.#derive(person.password, person.email, path === SIGN_UP)
    const url = this.#context.server.baseUrl + path
    const body = json({ ...person, password, client_id: key.id })
    const answer = await readAnswer(await send(this.#context.fetch, url, body))
    return present(await this.#holder.begin(key, answer, url))
  }

  /** As the one who is signed in, within the library's own time limit. */
  async #send(path: string, init?: RequestInit): Promise<Response> {
    const signal = AbortSignal.timeout(TIMEOUT)
    try {
      return await this.fetch(path, { ...init, signal })
    } catch (error) {
      throw signal.aborted ? unreachable(this.#context.server.baseUrl + path, error) : error
    }
  }

  /**
   * Asks the server who is signed in, which tells whether the session is alive. An answer that is not
   * whole, or speaks of another session, ends it.
   */
  async #ask(session: LiveSession): Promise<KnownSession> {
    const { session_id } = session.stored
    const body = await readAnswer(await this.#send('/account'))
    try {
      const answer = readAccountAnswer(body, '/account')
      if (answer.session_id !== session_id) throw badAnswer('/account')
      if (answer.account.id !== session.access.claims.sub) throw badAnswer('/account')
      const known = { account: answer.account, databaseKey: answer.database_key }
      return this.#holder.know(session, known)
    } catch (cause) {
      if (!hasCode(cause, 'bad_answer')) throw cause
      await this.#holder.end(session_id)
      throw new AuthError('session_ended', 'The session has ended. Sign in again.', { cause })
    }
  }

  async #known(): Promise<KnownSession> {
    const session = await this.#holder.present()
    return isKnown(session) ? session : this.#ask(session)
  }
}

const SIGN_UP = '/account'
/** Milliseconds that the server has to hear of a sign-out. */
const PATIENCE = 5000

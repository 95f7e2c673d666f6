import { TOKEN_TYPES, type AccessTokenClaims } from '../protocol/tokens.ts'
import { AccountRequests } from './account-requests.ts'
import { baseUrlOf } from './discovery/base-url.ts'
import { createServer, type AuthServer } from './discovery/server.ts'
import { createService } from './discovery/service.ts'
import { hasCode } from './errors.ts'
import { json, readAnswer, send, type Fetch } from './http.ts'
import type { Json } from './json.ts'
import type { AuthClientOptions } from './options.ts'
import { asTyped, type DerivePassword } from './passwords.ts'
import { readConfiguration, register } from './registration.ts'
import { SessionHolder } from './session/session-holder.ts'
import { present, type Session } from './session/session.ts'
import type { OpenedToken } from './session/tokens.ts'
import { SignedIn } from './signed-in.ts'
import type { ClientStore } from './stores/client-store.ts'
import { within } from './timers.ts'
import { checkAccessClaims, checkTimes } from './token/check-claims.ts'
import type { ClientKey } from './token/client-key.ts'
import { verify } from './token/verify.ts'
import { temporaryVaults } from './vault/temporary-vault.ts'
import { openVault, type Vault } from './vault/vault.ts'

/**
 * The client's half of the protocol, for one server. Nothing that the server sends is believed
 * before it has been opened with this client's key and verified with the server's.
 */
export class AuthClient {
  /** What a signed-in person can do to their account. */
  readonly account: AccountRequests
  readonly #clientName: string | undefined
  readonly #context: { server: AuthServer; store: ClientStore; fetch: Fetch; clock: () => number }
  readonly #holder: SessionHolder
  readonly #signedIn: SignedIn
  readonly #derive: DerivePassword
  readonly #temporaryVault: (sessionId: string) => Promise<Vault>

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
    const holder = new SessionHolder({ ...common, server })
    const readers = [server, ...others]
    const signedIn = new SignedIn({ fetch, holder, baseUrl, readers })
    this.#clientName = options.clientName
    this.#context = { ...common, server }
    this.#holder = holder
    this.#signedIn = signedIn
    this.#derive = derivePassword
    this.#temporaryVault = temporaryVaults(holder.page)
    this.account = new AccountRequests({ server, fetch, holder, signedIn, derive: derivePassword })
  }

  /** Who is signed in, as far as this page knows: call `resume` once at the start. */
  get session(): Session | undefined {
    return present(this.#holder.page.session)
  }

  /** Calls back when the session has begun, been renewed or ended here, or begun or ended in another tab. */
  onChange(listener: () => void): () => void {
    return this.#holder.page.changed.add(listener)
  }

  /**
   * Registers this installation's public key, making the key if there is none that fits. Signing up
   * and in do it by themselves; the same key again is the same client.
   */
  async register(): Promise<ClientKey> {
    return register(this.#context, this.#clientName)
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
   * the server must agree. If the server says that the session has ended, what is left of it is
   * removed, without a word. Later, it finds out whether they still are; nobody else takes their place.
   *
   * @throws AuthError `network`, `keys_too_old` when the server cannot be asked; `bad_answer`, or the
   *   server's own code, such as `temporarily_unavailable`. Nothing is removed then.
   */
  async resume(): Promise<Session | undefined> {
    const session = this.#holder.page.session ?? (await this.#holder.restore())
    if (session === undefined) return undefined
    try {
      return present(await this.#signedIn.ask(session))
    } catch (error) {
      if (hasCode(error, 'session_ended') || hasCode(error, 'not_signed_in')) return undefined
      throw error
    }
  }

  /**
   * Ends the session. Here it is over within seconds in any case; `false` when the server could not be
   * told so soon. Then it may keep the session until it expires.
   */
  async signOut(): Promise<boolean> {
    const told = this.#signedIn.send('/account/logout', { method: 'POST' }).then(
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
    return present(await this.#holder.renew(await this.#holder.current()))
  }

  /**
   * The access token, opened and verified anew, layer by layer. Also while the server is away, as
   * long as its cached keys are not older than `maxKeyAge`.
   *
   * @throws AuthError `not_signed_in`, `token_invalid`, `token_expired`, `keys_too_old`
   */
  async accessToken(): Promise<OpenedToken<AccessTokenClaims>> {
    const token = await this.#holder.reopen(await this.#holder.current())
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
    const key = await this.#context.store.loadKey()
    const { issuer } = await this.#context.server.info()
    const { payload } = await verify(jws, TOKEN_TYPES.access, this.#context.server.verificationKeys)
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
    return this.#signedIn.fetch(input, init)
  }

  /**
   * Local data of this session, encrypted: see vault/vault.ts. If the server has lost the key to it,
   * an empty vault in memory, with a `warning`.
   *
   * @throws AuthError `not_signed_in`; `network` as long as the server has not been reached since the
   *   start: it alone has the key. `temporarily_unavailable` while the server cannot read the key.
   */
  async vault(): Promise<Vault> {
    const { known, stored } = await this.#signedIn.known()
    const { session_id } = stored
    if (known.databaseKey === null) return this.#temporaryVault(session_id)
    return openVault(this.#context.store.vault(session_id), known.databaseKey, session_id)
  }

  /** What the server says to this client alone about its tokens. */
  async configuration(): Promise<Json> {
    const key = (await this.#context.store.loadKey()) ?? (await this.register())
    try {
      return await readConfiguration(this.#context, key)
    } catch (error) {
      // The server forgets clients that do not sign in for long.
      if (!hasCode(error, 'not_found')) throw error
      return readConfiguration(this.#context, await this.register())
    }
  }

  async #begin(path: string, person: { email: string; password: string }): Promise<Session> {
    const key = await this.register()
    const password = await this.#derive(person.password, person.email, path === SIGN_UP)
    const url = this.#context.server.baseUrl + path
    const body = json({ ...person, password, client_id: key.id })
    const answer = await readAnswer(await send(this.#context.fetch, url, body))
    return present(await this.#holder.begin(key, answer, url))
  }
}

const SIGN_UP = '/account'
/** Milliseconds that the server has to hear of a sign-out. */
const PATIENCE = 5000

import type { SignUpFields } from '../protocol/account.ts'
import type { AccessTokenClaims } from '../protocol/tokens.ts'
import { AccountRequests } from './account-requests.ts'
import { createContext, type ClientContext } from './context.ts'
import { hasCode } from './errors.ts'
import type { Json } from './json.ts'
import type { ClientKey } from './keys/client-key.ts'
import type { AuthClientOptions } from './options.ts'
import { readConfiguration, register } from './registration.ts'
import { SessionHolder } from './session/session-holder.ts'
import { describe, type Session } from './session/session-in-memory.ts'
import { verifyAccessToken, type OpenedToken } from './session/tokens.ts'
import { signInByIdToken, signInByPassword } from './sign-in.ts'
import { SignedInRequests } from './signed-in-requests.ts'
import { within } from './timers.ts'
import { checkTimes } from './token/check-claims.ts'
import { temporaryVaults } from './vault/temporary-vault.ts'
import { openVault, type Vault } from './vault/vault.ts'

/**
 * The client's half of the protocol, for one server. It uses a token only after decrypting it with
 * this client's key and verifying it with the server's key.
 *
 * @example
 * const auth = new AuthClient({ server: 'https://auth.example.com', store: await browserStore() })
 * if ((await auth.resume()) === undefined) await auth.signIn({ email, password })
 * const response = await auth.fetch('/account')
 */
export class AuthClient {
  /** What a signed-in person can do with their account. */
  readonly account: AccountRequests
  readonly #context: ClientContext
  readonly #holder: SessionHolder
  readonly #signedIn: SignedInRequests
  readonly #temporaryVault: (sessionId: string) => Promise<Vault>

  /** @throws AuthError `insecure_server`; TypeError for a misspelt value of an option. */
  constructor(options: AuthClientOptions) {
    const context = createContext(options)
    this.#context = context
    this.#holder = new SessionHolder(context)
    this.#signedIn = new SignedInRequests(context, this.#holder)
    this.#temporaryVault = temporaryVaults(this.#holder.memory)
    this.account = new AccountRequests(context, this.#holder, this.#signedIn)
  }

  /** The signed-in user, as far as this page knows. Call `resume` once at startup. */
  get session(): Session | undefined {
    const { session } = this.#holder.memory
    return session && describe(session)
  }

  /**
   * Calls `listener` when a session begins or ends, in this tab or another, and when this tab refreshes
   * it or receives its account. Returns a function that removes the listener.
   *
   * @example
   * const stop = auth.onChange(() => show(auth.session))
   */
  onChange(listener: () => void): () => void {
    return this.#holder.memory.changed.add(listener)
  }

  /** Registers this installation's key, generated if necessary. `signUp` and `signIn` call it. */
  async register(): Promise<ClientKey> {
    return (await register(this.#context)).key
  }

  /**
   * Creates an account and signs in to it.
   *
   * @throws AuthError `account_exists`
   * @example
   * await auth.signUp({ email: 'ada@example.com', password: 'a long and winding road', name: 'Ada' })
   */
  async signUp(person: { email: string; password: string } & SignUpFields): Promise<Session> {
    return signInByPassword(this.#context, this.#holder.memory, person, true)
  }

  /** @throws AuthError `invalid_grant` for an unknown address or a wrong password. */
  async signIn(person: { email: string; password: string }): Promise<Session> {
    return signInByPassword(this.#context, this.#holder.memory, person, false)
  }

  /** The `nonce` to send to an OpenID provider, so that only this client can use the ID token. */
  async nonce(): Promise<string> {
    return (await this.register()).id
  }

  /**
   * Signs in with a provider's ID token.
   *
   * @throws AuthError `invalid_request`, `account_exists`
   * @example
   * await auth.signInWith({ subjectToken: await signInAtProvider(await auth.nonce()) })
   */
  async signInWith({ subjectToken }: { subjectToken: string }): Promise<Session> {
    return signInByIdToken(this.#context, this.#holder.memory, subjectToken)
  }

  /**
   * Resumes the stored session if it is intact and the server confirms it; otherwise `undefined`.
   * Removes it only if the server says that it has ended. Call it at startup; later calls ask again.
   *
   * @throws AuthError `network` or `keys_too_old` if the server cannot be reached; `bad_answer`; or a
   *   server code such as `temporarily_unavailable`. The stored session stays in each case.
   */
  async resume(): Promise<Session | undefined> {
    const session = this.#holder.memory.session ?? (await this.#holder.load())
    if (session === undefined) return undefined
    try {
      return describe(await this.#signedIn.confirm(session))
    } catch (error) {
      if (hasCode(error, 'session_ended') || hasCode(error, 'not_signed_in')) return undefined
      throw error
    }
  }

  /**
   * Ends the session. On this device it ends within seconds, unless the store fails. Returns `false` if
   * the server did not learn of it in time, and may keep the session until it expires.
   */
  async signOut(): Promise<boolean> {
    const told = this.#signedIn.send('/account/logout', { method: 'POST' }).then(
      (response) => response.ok,
      (error: unknown) => hasCode(error, 'session_ended'),
    )
    const sessionId = await this.#holder.id()
    const isTold = await within(PATIENCE, told, () => false)
    await this.#holder.forget(sessionId)
    return isTold
  }

  /** Refreshes the tokens now. `fetch` refreshes them itself when necessary. */
  async refresh(): Promise<Session> {
    return describe(await this.#holder.refresh(await this.#holder.current()))
  }

  /**
   * The access token, verified again, not refreshed. Works offline for `maxKeyAge`.
   *
   * @throws AuthError `not_signed_in`, `token_invalid`, `token_expired`, `keys_too_old`
   */
  async accessToken(): Promise<OpenedToken> {
    return this.#holder.accessToken()
  }

  /**
   * Checks that a JWS is a current access token from the server for this client.
   *
   * @throws AuthError `token_invalid`, `token_expired`, `keys_too_old`
   */
  async verify(jws: string): Promise<AccessTokenClaims> {
    const { server, store } = this.#context
    const key = await store.loadKey()
    const { issuer } = await server.info()
    const verifier = { keys: server.verificationKeys, issuer, clientId: key?.id ?? '' }
    const { claims } = await verifyAccessToken(jws, verifier)
    checkTimes(claims, this.#holder.now)
    return claims
  }

  /**
   * `fetch` with the access token, encrypted to its recipient and bound to this one request. Refreshes
   * an expired token once, and encrypts again once if the recipient's key has changed.
   *
   * @param input A path on the server, or a URL of the server or one of `services`.
   * @throws AuthError `not_signed_in`, `session_ended`, `network`, `origin_not_allowed`
   * @example
   * const notes = await (await auth.fetch('/notes')).json()
   */
  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    return this.#signedIn.fetch(input, init)
  }

  /**
   * This session's encrypted local data: see vault/vault.ts. If the server has lost the key, an empty
   * vault in memory, with a `warning`.
   *
   * @throws AuthError `not_signed_in`; `network` if the server has not been reached since startup;
   *   `temporarily_unavailable` while the server cannot read the key; `sealing_required`.
   * @example
   * const vault = await auth.vault()
   * await vault.set('draft', { text: 'Dear Ada, …' })
   */
  async vault(): Promise<Vault> {
    const { sessionId, key } = await this.#signedIn.databaseKey()
    if (key === null) return this.#temporaryVault(sessionId)
    return openVault(this.#context.store.vault(sessionId), key, sessionId)
  }

  /** The client's configuration, which the server encrypts to this client. */
  async configuration(): Promise<Json> {
    return readConfiguration(this.#context)
  }
}

/** Milliseconds that `signOut` waits for the server. */
const PATIENCE = 5000

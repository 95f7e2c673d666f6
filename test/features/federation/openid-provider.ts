/** A certified OpenID provider (oidc-provider) on its own port, and a browser that signs in to it. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { jest } from '@jest/globals'
import type { Provider } from 'oidc-provider'
import { freePort } from '../../support/process.ts'
import { createMemoryAdapter } from './memory-adapter.ts'
import { AUDIENCE, type SigningKey } from './provider.ts'

// It warns that Node 20 is not supported, but everything used here works there.
const warning = jest.spyOn(console, 'warn').mockReturnValue()
const { Provider: OidcProvider } = await import('oidc-provider')
warning.mockRestore()

/** Seconds. Longer than keys are kept, so that tokens do not expire during a test. */
const DAYS = 5 * 86_400
/** Nothing is sent there: the browser stops at it. */
const CALLBACK = 'https://app.test/callback'
const SCOPE = 'openid email profile'

interface Person {
  /** Their address is `<login>@example.test`. */
  readonly login: string
  readonly nonce: string
}

export class OpenIdProvider {
  readonly issuer: string
  /** The requests for its metadata and its keys, by path. */
  readonly asked: string[] = []
  readonly #port: number
  readonly #server
  #provider: Provider

  private constructor(port: number, key: SigningKey) {
    this.#port = port
    this.issuer = `http://127.0.0.1:${port}`
    this.#provider = withKey(this.issuer, key)
    this.#server = createServer((request, response) => {
      void this.#answer(request, response)
    })
  }

  static async start(key: SigningKey): Promise<OpenIdProvider> {
    const provider = new OpenIdProvider(await freePort(), key)
    await provider.listen()
    return provider
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** Refuses connections until it listens again. */
  async stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  /** Signs with this key from now on, and publishes no other. */
  rotateTo(key: SigningKey): void {
    this.#provider = withKey(this.issuer, key)
  }

  /** Signs a person in by the authorization-code flow with PKCE (RFC 7636), and returns the ID token. */
  async signIn({ login, nonce }: Person): Promise<string> {
    const verifier = randomBytes(32).toString('base64url')
    const state = randomBytes(16).toString('base64url')
    const challenge = createHash('sha256').update(verifier).digest('base64url')
    const callback = await this.#browse('/auth', {
      client_id: AUDIENCE,
      response_type: 'code',
      scope: SCOPE,
      redirect_uri: CALLBACK,
      nonce,
      state,
      login_hint: login,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    })
    const code = callback.get('code')
    if (code === null || callback.get('state') !== state) throw new Error(`${callback}`)
    const response = await fetch(`${this.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: AUDIENCE,
        redirect_uri: CALLBACK,
        code,
        code_verifier: verifier,
      }),
    })
    const body = (await response.json()) as { id_token?: string }
    if (body.id_token === undefined) throw new Error(JSON.stringify(body))
    return body.id_token
  }

  /** Follows redirects with cookies, as a browser does, up to the app's callback, and returns its query. */
  async #browse(path: string, query: Record<string, string>): Promise<URLSearchParams> {
    const cookies = new Map<string, string>()
    let url = new URL(`${path}?${new URLSearchParams(query)}`, this.issuer)
    while (url.href.startsWith(this.issuer)) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
        cookies.set(name!, value!)
      }
      const location = response.headers.get('location')
      if (location === null) throw new Error(`${response.status} ${await response.text()}`)
      url = new URL(location, url)
    }
    return url.searchParams
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url!, this.issuer)
    if (pathname.startsWith('/interaction/')) {
      // Instead of a page with a password, the person that the app names signs in.
      const { params } = await this.#provider.interactionDetails(request, response)
      const login = { accountId: params['login_hint'] as string }
      await this.#provider.interactionFinished(request, response, { login })
      return
    }
    if (/^\/(jwks|\.well-known\/.+)$/.test(pathname)) this.asked.push(pathname)
    await this.#provider.callback()(request, response)
  }
}

function withKey(issuer: string, { kid, alg, privateKey }: SigningKey): Provider {
  return new OidcProvider(issuer, {
    adapter: createMemoryAdapter(),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }] },
    clients: [
      {
        client_id: AUDIENCE,
        redirect_uris: [CALLBACK],
        token_endpoint_auth_method: 'none',
        id_token_signed_response_alg: alg as 'RS256' | 'ES256',
      },
    ],
    cookies: { keys: ['a key of the test'] },
    claims: { openid: ['sub', 'jti'], email: ['email', 'email_verified'], profile: ['name'] },
    // As with Google, the address and the name are in the ID token.
    conformIdTokenClaims: false,
    ttl: { IdToken: DAYS, AccessToken: DAYS, Grant: DAYS, Interaction: DAYS, Session: DAYS },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    features: { devInteractions: { enabled: false } },
    findAccount: (_, accountId) => ({
      accountId,
      // `jti` makes two ID tokens of one second different.
      claims: () => ({
        sub: accountId,
        name: 'Ada',
        email: `${accountId}@example.test`,
        email_verified: true,
        jti: randomUUID(),
      }),
    }),
    // The app is the provider's own, so nobody is asked for consent.
    async loadExistingGrant({ oidc }) {
      const { clientId } = oidc.client!
      const grant = new oidc.provider.Grant({ clientId, accountId: oidc.session!.accountId! })
      grant.addOIDCScope(SCOPE)
      await grant.save()
      return grant
    },
  })
}

/** Key-bound tokens in a real browser: every token has a proof, and no key can be exported. */
import { expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import type { BrowserContext, Page } from 'playwright-core'
import type { AuthClient, AuthError } from '../../client/index.ts'
import { rotateKeys } from '../../server/commands/keys/folder-changes.ts'
import { someEmail } from '../support/client.ts'
import { restartable, serve } from './servers.ts'
import {
  expectRefusals,
  loadClient,
  newProfile,
  openWithClient,
  PASSWORD,
  reload,
} from './support.ts'

declare global {
  var auth: AuthClient
  /** The keys that the client has derived. */
  var derived: Promise<CryptoKey>[]
}

const METADATA = '**/.well-known/oauth-authorization-server'

/** Signs in again from storage, and returns the claims of the current token. */
const resume = (page: Page) =>
  page.evaluate(async () => {
    const { issuer } = (await (await fetch('/.well-known/oauth-authorization-server')).json()) as {
      issuer: string
    }
    const store = await client.browserStore()
    globalThis.auth = new client.AuthClient({ server: location.origin, issuer, store })
    return (await auth.resume())?.claims
  })

async function openApp(url: string, profile: BrowserContext) {
  const page = await openWithClient(url, profile)
  return { page, claims: await resume(page) }
}

async function reopen(page: Page) {
  await reload(page)
  await loadClient(page)
  return resume(page)
}

async function signUp(page: Page): Promise<string> {
  const email = someEmail()
  await page.evaluate((person) => auth.signUp(person), { email, password: PASSWORD })
  return email
}

/** As if five minutes had passed since the page fetched the server's metadata. */
const forgetServer = (page: Page) =>
  page.evaluate(async () => (await client.browserStore()).write('server', undefined))

const ask = (page: Page, path = '/account') =>
  page.evaluate(async (path) => (await auth.fetch(path)).status, path)

/** The error code of a sign-in, if it fails. */
const signIn = (page: Page, email: string, password = PASSWORD) =>
  page.evaluate(
    (person) =>
      auth.signIn(person).then(
        () => undefined,
        (error: unknown) => (error as AuthError).code,
      ),
    { email, password },
  )

/** Every token that a profile sends, with the path of its request. */
function watchTokens(profile: BrowserContext) {
  const tokens: { readonly path: string; readonly mac: unknown; readonly kid: unknown }[] = []
  profile.on('request', (request) => {
    const path = new URL(request.url()).pathname
    const { authorization } = request.headers()
    const body = ['/token', '/revoke'].includes(path) ? (request.postDataJSON() as unknown) : {}
    const { refresh_token, token } = body as Record<string, string>
    const jwe = authorization?.slice('Bearer '.length) ?? refresh_token ?? token
    if (jwe === undefined) return
    const { req, kid } = decodeProtectedHeader(jwe)
    tokens.push({ path, kid, mac: (req as Record<string, unknown>)['mac'] })
  })
  return tokens
}
const isProven = ({ mac }: { readonly mac: unknown }) => /^[\w-]{43}$/.test(String(mac))

test('every token has a proof: after a reload, from two tabs, and while the keys rotate', async () => {
  const server = await restartable(true)
  await server.start()
  const profile = await newProfile()
  const tokens = watchTokens(profile)
  const { page } = await openApp(server.url, profile)
  await signUp(page)
  const { client_id: id } = (await reopen(page))!
  const other = await openApp(server.url, profile)
  expect(other.claims).toMatchObject({ client_id: id, cnf: { jwk: { kty: 'EC', crv: 'P-256' } } })
  await Promise.all([page, other.page].map((tab) => tab.evaluate(() => auth.refresh())))
  for (let rotation = 0; rotation < 2; rotation++) {
    await rotateKeys(server.folder, Date.now(), 3_600_000)
    await server.reloadKeys()
    await forgetServer(page)
    await reopen(page)
    // The other tab does not know the new key yet.
    expect([await ask(page), await ask(other.page)]).toEqual([200, 200])
  }
  expect(await page.evaluate(() => auth.signOut())).toBe(true)
  expect(tokens.length).toBeGreaterThanOrEqual(8)
  expect(tokens.filter((token) => !isProven(token))).toEqual([])
  expect(new Set(tokens.map(({ kid }) => kid)).size).toBe(3)
})

test('a restart that preserves sessions changes nothing', async () => {
  const server = await restartable(true)
  await server.start()
  const profile = await newProfile()
  const tokens = watchTokens(profile)
  const { page } = await openApp(server.url, profile)
  await signUp(page)
  await server.restart()
  expect(await ask(page)).toBe(200)
  expect((await reopen(page))?.cnf).toBeDefined()
  expect(tokens.filter((token) => !isProven(token))).toEqual([])
})

test('after a restart without preserved sessions, the next sign-up is key-bound too', async () => {
  const server = await restartable(false)
  await server.start()
  const profile = await newProfile()
  const tokens = watchTokens(profile)
  const { page } = await openApp(server.url, profile)
  await signUp(page)
  await server.restart()
  expectRefusals('401 /account', '400 /token')
  expect(await reopen(page)).toBeUndefined()
  await signUp(page)
  expect(await ask(page)).toBe(200)
  expect((await reopen(page))?.cnf).toBeDefined()
  expect(tokens.filter((token) => !isProven(token))).toEqual([])
})

test('an older installation keeps its key until the next sign-in, which gives it a new one', async () => {
  const { url, database } = await serve()
  const profile = await newProfile()
  await profile.route(METADATA, async (route) => {
    const json = (await (await route.fetch()).json()) as object
    await route.fulfill({ json: { ...json, key_bound_tokens_supported: undefined } })
  })
  const { page } = await openApp(url, profile)
  const email = await signUp(page)
  const old = (await reopen(page))!
  expect(old.cnf).toBeUndefined()

  await profile.unroute(METADATA)
  await forgetServer(page)
  expect((await reopen(page))?.client_id).toBe(old.client_id)
  expectRefusals('401 /account/login')
  expect(await signIn(page, email, 'a wrong and winding road')).toBe('invalid_grant')
  expect((await reopen(page))?.client_id).toBe(old.client_id)
  expect(await signIn(page, email)).toBeUndefined()
  const fresh = (await reopen(page))!
  expect(fresh.client_id).not.toBe(old.client_id)
  expect(fresh.cnf).toBeDefined()
  const sessions = await database.selectFrom('sessions').select('client_id').execute()
  expect(sessions).toEqual([{ client_id: fresh.client_id }])
})

test('neither the private key nor the derived one can be exported', async () => {
  const { url } = await serve()
  const profile = await newProfile({}, () => {
    globalThis.derived = []
    // The empty page before the first one has no key.
    if (!isSecureContext) return
    // eslint-disable-next-line @typescript-eslint/unbound-method -- taken to be replaced
    SubtleCrypto.prototype.deriveKey = new Proxy(SubtleCrypto.prototype.deriveKey, {
      apply(derive, subtle: SubtleCrypto, args: Parameters<SubtleCrypto['deriveKey']>) {
        const key = derive.apply(subtle, args)
        derived.push(key)
        return key
      },
    })
  })
  const { page } = await openApp(url, profile)
  await signUp(page)
  expect(await ask(page)).toBe(200)
  const outcomes = await page.evaluate(async () => {
    const { subtle } = crypto
    const { privateKey } = (await (await client.browserStore()).loadKey())!
    const wrapping = await subtle.generateKey({ name: 'AES-KW', length: 256 }, false, ['wrapKey'])
    const keys = [privateKey, ...(await Promise.all(derived))]
    const tries = keys.flatMap((key) => [
      ...(['raw', 'pkcs8', 'jwk'] as const).map((format) =>
        format === 'jwk' ? subtle.exportKey(format, key) : subtle.exportKey(format, key),
      ),
      subtle.wrapKey('raw', key, wrapping, 'AES-KW'),
    ])
    const settled = await Promise.allSettled(tries)
    return {
      of: keys.map(({ algorithm, usages }) => [algorithm.name, ...usages]),
      settled: settled.map(({ status }) => status),
    }
  })
  expect(outcomes.of).toEqual([
    ['ECDH', 'deriveBits'],
    ['HMAC', 'sign'],
  ])
  expect(new Set(outcomes.settled)).toEqual(new Set(['rejected']))
})

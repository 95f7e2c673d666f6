/** The client in a real browser, without a page of its own: sessions in tabs, on the disk, and over time. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import type { BrowserContext, Page } from 'playwright-core'
import type { AuthClient, AuthError } from '../../client/index.ts'
import { pruneKeys, rotateKeys } from '../../server/commands/keys/folder-changes.ts'
import { someEmail } from '../support/client.ts'
import { databases, nothingIsLeft, TOKEN } from './databases.ts'
import { restartable, serve, until } from './servers.ts'
import {
  expectRefusals,
  expectUnreachable,
  loadClient,
  newProfile,
  openWithClient,
  PASSWORD,
  reload,
} from './support.ts'

declare global {
  var auth: AuthClient
}

/** Seconds. Long enough for a slow machine to use a token that it has just received. */
const SHORT = 6
/** How long previous keys are kept, in milliseconds. */
const KEEP = 3_600_000
const ISSUER = 'http://localhost:3000'

/** Opens an app in a tab, and returns the signed-in person's address and the store's warning. */
async function openApp(url: string, profile?: BrowserContext, issuer = ISSUER) {
  const page = await openWithClient(url, profile)
  return { page, ...(await resume(page, issuer)) }
}
const resume = (page: Page, issuer = ISSUER) =>
  page.evaluate(async (issuer) => {
    const store = await client.browserStore()
    globalThis.auth = new client.AuthClient({ server: location.origin, issuer, store })
    await auth.resume()
    const isSignedIn = auth.session !== undefined
    const answer = isSignedIn ? await (await auth.fetch('/account')).json() : {}
    return { email: answer.account?.email as string | undefined, warning: store.warning }
  }, issuer)
/** Reloads the page, and opens the app in it. */
async function reopen(page: Page, issuer = ISSUER) {
  await reload(page)
  await loadClient(page)
  return resume(page, issuer)
}

async function signUp(page: Page): Promise<string> {
  const email = someEmail()
  await page.evaluate((person) => auth.signUp(person), { email, password: PASSWORD })
  return email
}
const keep = (page: Page, note: string) =>
  page.evaluate(async (note) => (await auth.vault()).set('note', note), note)
const readNote = (page: Page) => page.evaluate(async () => (await auth.vault()).get('note'))
/** The status of a request, or the error's code. */
const ask = (page: Page) =>
  page.evaluate(() =>
    auth.fetch('/account').then(
      ({ status }) => status,
      (error: unknown) => (error as AuthError).code,
    ),
  )
const isSignedOut = (page: Page) => page.evaluate(() => auth.session === undefined)

/** Counts the requests of a profile, such as `POST /token`. */
function watch(profile: BrowserContext): (line: string) => number {
  const lines: string[] = []
  profile.on('request', (request) => {
    lines.push(`${request.method()} ${new URL(request.url()).pathname}`)
  })
  return (line) => lines.filter((other) => other === line).length
}
const waitForExpiry = (page: Page) =>
  page.evaluate(async () => {
    const left = auth.session!.expiresAt - Date.now()
    await new Promise((resolve) => setTimeout(resolve, left + 100))
  })
/** Pages without a timer for expiring tokens. */
function inTheBackground() {
  Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' })
}

test('a reload needs no password, and the disk holds nothing readable', async () => {
  const { url } = await serve()
  const { page } = await openApp(url)
  const email = await signUp(page)
  await keep(page, 'Tea at four, under the clock')
  const { jws } = await page.evaluate(() => auth.accessToken())
  const text = (await databases(page)).map((database) => database.text).join('\n')
  for (const secret of ['Tea at', '"note"', email, PASSWORD, jws, jws.split('.')[1]!]) {
    expect(text).not.toContain(secret)
  }
  // Every stored token is a JWE with five parts, so no JWS is stored.
  const tokens = text.match(TOKEN)!
  expect(tokens.map((token) => token.split('.').length)).toEqual([5, 5])

  expect(await reopen(page)).toEqual({ email, warning: undefined })
  expect(await readNote(page)).toBe('Tea at four, under the clock')
  expect(await page.evaluate(() => auth.signOut())).toBe(true)
  await nothingIsLeft(page, email)
  expect(await reopen(page)).toMatchObject({ email: undefined })
})

test('the minified file works the same', async () => {
  const folder = process.env['MINIFIED_BUNDLE'] ?? 'dist/browser'
  const body = readFileSync(join(folder, 'client.js'), 'utf8')
  const { url } = await serve()
  const profile = await newProfile()
  await profile.route('**/client.js', async (route) => {
    await route.fulfill({ response: await route.fetch(), body })
  })
  const { page } = await openApp(url, profile)
  const email = await signUp(page)
  await keep(page, 'small')
  expect(await reopen(page)).toMatchObject({ email })
  expect(await readNote(page)).toBe('small')
})

test('a browser that refuses IndexedDB keeps the session until the page is reloaded', async () => {
  const { url } = await serve()
  const profile = await newProfile({}, () => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('Not in this window.', 'SecurityError')
    }
  })
  const { page, warning } = await openApp(url, profile)
  expect(warning).toMatch(/does not keep keys \(SecurityError\)/)
  await signUp(page)
  expect(await ask(page)).toBe(200)
  expect(await reopen(page)).toEqual({ email: undefined, warning })
})

test('twenty concurrent requests and two tabs renew an expired token once', async () => {
  const { url } = await serve({ accessTokenTtl: SHORT })
  const profile = await newProfile({}, inTheBackground)
  const { page } = await openApp(url, profile)
  const email = await signUp(page)
  const second = await openApp(url, profile)
  expect(second.email).toBe(email)
  const count = watch(profile)
  const twenty = (tab: Page) =>
    tab.evaluate(async () => {
      const asked = Array.from({ length: 20 }, () => auth.fetch('/account'))
      return (await Promise.all(asked)).map(({ status }) => status)
    })
  await waitForExpiry(page)
  const statuses = await Promise.all([twenty(page), twenty(second.page)])
  expect(statuses.flat()).toEqual(Array(40).fill(200))
  expect(count('POST /token')).toBe(1)
})

test('signing out in one tab signs out the other, and neither becomes another person', async () => {
  const { url } = await serve()
  const profile = await newProfile()
  const [{ page }, { page: other }] = [await openApp(url, profile), await openApp(url, profile)]
  await signUp(page)
  await other.evaluate(() => auth.resume())
  const email = await signUp(other)
  await until(() => isSignedOut(page))
  expect(await ask(page)).toBe('not_signed_in')
  // Opening the app again is a decision of the user.
  expect(await reopen(page)).toMatchObject({ email })
  await keep(page, 'for nobody else')
  await page.evaluate(() => auth.signOut())
  await until(() => isSignedOut(other))
  await nothingIsLeft(other, email, 'for nobody else')
})

test('without locks and broadcast channels each tab still works', async () => {
  const { url } = await serve()
  const profile = await newProfile({}, () => {
    delete (Navigator.prototype as { locks?: unknown }).locks
    delete (globalThis as { BroadcastChannel?: unknown }).BroadcastChannel
  })
  const { page } = await openApp(url, profile)
  const email = await signUp(page)
  await keep(page, 'alone')
  const second = await openApp(url, profile)
  expect(second.email).toBe(email)
  expect(await readNote(second.page)).toBe('alone')
  await second.page.evaluate(() => auth.signOut())
  expectRefusals('401 /account', '400 /token')
  expect(await ask(page)).toBe('session_ended')
})

test('a session survives rotations, and ends when its keys are pruned', async () => {
  const server = await restartable(true)
  await server.start()
  const { page } = await openApp(server.url, undefined, server.url)
  const email = await signUp(page)
  await keep(page, 'older than the keys')
  // Twice: then the page knows none of the published keys.
  for (let rotation = 0; rotation < 2; rotation++) {
    await rotateKeys(server.folder, Date.now(), KEEP)
    await server.reloadKeys()
    expect(await ask(page)).toBe(200)
  }
  expect(await reopen(page, server.url)).toMatchObject({ email })
  expect(await readNote(page)).toBe('older than the keys')

  await pruneKeys(server.folder, Date.now() + KEEP + 1000)
  await server.reloadKeys()
  expectRefusals('401 /account', '400 /token')
  expect(await ask(page)).toBe('session_ended')
  await nothingIsLeft(page, email, 'older than the keys')
})

test('an unreachable server is reported, and the session stays until the sign-out', async () => {
  const server = await restartable(true)
  await server.start()
  const { page } = await openApp(server.url, undefined, server.url)
  const email = await signUp(page)
  await server.stop()
  expectUnreachable('/account', '/account/logout')
  expect(await ask(page)).toBe('network')
  await server.start()
  expect(await ask(page)).toBe(200)
  await server.stop()
  expect(await page.evaluate(() => auth.signOut())).toBe(false)
  expect(await isSignedOut(page)).toBe(true)
  await nothingIsLeft(page, email)
})

/** Several tabs, several browsers, and sessions that are ended elsewhere. */
import { EventEmitter, once } from 'node:events'
import { expect, test } from '@jest/globals'
import type { BrowserContext, Page } from 'playwright-core'
import { databases } from '../../../browser/databases.ts'
import { until } from '../../../browser/servers.ts'
import { expectRefusals, newProfile, reload } from '../../../browser/support.ts'
import {
  ask,
  button,
  isSignedIn,
  isSignedOut,
  keepNote,
  nothingIsLeft,
  open,
  readNote,
  servePlayground,
  signIn,
  signUp,
  step,
} from './playground-page.ts'

declare global {
  /** Set by `withSlowVault`. */
  var slow: { isHeld: string; waiting: number; release(): void }
}

/** Seconds. Long enough for a slow machine to use a token that it has just received. */
const SHORT = 6
/** The refusals of an ended session: of its access token, then of its refresh token. */
const OF_ENDED_SESSION = ['401 /account', '401 /account/sessions', '400 /token'] as const

/** Counts the requests of a profile, such as `POST /token`. */
function watch(profile: BrowserContext): (line: string) => number {
  const lines: string[] = []
  profile.on('request', (request) => {
    lines.push(`${request.method()} ${new URL(request.url()).pathname}`)
  })
  return (line) => lines.filter((other) => other === line).length
}

/** Tells the page that its tab is visible again. */
const comeBack = (page: Page) =>
  page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))

test('two visible tabs renew an expiring token once', async () => {
  const { url } = await servePlayground({ accessTokenTtl: SHORT })
  const profile = await newProfile()
  const count = watch(profile)
  const first = await open(url, profile)
  const start = Date.now()
  const email = await signUp(first)
  const second = await open(url, profile)
  await isSignedIn(second, email)
  const shown = (page: Page) => page.getByRole('region', { name: 'The JWE' }).textContent()
  const old = await shown(first)
  await until(async () => (await shown(first)) !== old && (await shown(second)) !== old)
  await until(async () => (await shown(first)) === (await shown(second)))
  // Once, or on a slow machine once for each token that has expired meanwhile. Times are whole seconds.
  const lifetimes = Math.floor((Date.now() - start) / 1000 / (SHORT - 1))
  expect(count('POST /token')).toBeGreaterThan(0)
  expect(count('POST /token')).toBeLessThanOrEqual(lifetimes)
})

test('signing out in one tab signs out the other', async () => {
  const { url } = await servePlayground()
  const profile = await newProfile()
  const first = await open(url, profile)
  const email = await signUp(first)
  await keepNote(first, 'for nobody else')
  const second = await open(url, profile)
  await isSignedIn(second, email)
  expect(await readNote(second)).toBe('for nobody else')
  await button(first, 'Sign out').click()
  for (const page of [first, second]) {
    await isSignedOut(page)
    await nothingIsLeft(page, email, 'for nobody else')
  }
})

test('a tab never becomes another person by itself', async () => {
  const { url } = await servePlayground()
  const profile = await newProfile()
  const first = await open(url, profile)
  const email = await signUp(first)
  const second = await open(url, profile)
  await isSignedIn(second, email)
  await button(second, 'Sign out').click()
  await isSignedOut(first)
  const other = await signUp(second)
  await keepNote(second, 'of the other one')

  await comeBack(first)
  await isSignedOut(first)
  expect(await first.content()).not.toContain(other)
  // Not when it is asked to do something either.
  const answer = await first.evaluate(() => {
    document.querySelector<HTMLButtonElement>('#ask')!.click()
    return new Promise<string>((resolve) => {
      const exchange = document.querySelector('#exchange')!
      new MutationObserver(() => {
        resolve(exchange.textContent)
      }).observe(exchange, { childList: true, characterData: true, subtree: true })
    })
  })
  expect(answer).toContain('(not_signed_in)')
  // A reload is a decision of the user.
  await reload(first)
  await isSignedIn(first, other)
  expect(await readNote(first)).toBe('of the other one')
})

test('signing in as somebody else in another tab ends the session in this one', async () => {
  const { url } = await servePlayground()
  const profile = await newProfile()
  // Both were opened before the sign-in.
  const [first, second] = [await open(url, profile), await open(url, profile)]
  const email = await signUp(first)
  await keepNote(first, 'mine')
  await isSignedOut(second)
  const other = await signUp(second)
  await isSignedOut(first)
  expect(await first.content()).not.toContain(other)
  // The vault of the first person is gone, and that of the other is empty.
  const [, ...vaults] = await databases(first)
  expect(vaults.map(({ text }) => text)).toEqual(['[]'])
  await button(second, 'Sign out').click()
  await isSignedOut(second)
  await nothingIsLeft(first, email, other, 'mine')
})

test('a session that was ended in another browser leaves no data and no error', async () => {
  const { url } = await servePlayground()
  const here = await open(url)
  const email = await signUp(here)
  await keepNote(here, 'soon to be gone')
  await ask(here)
  const there = await open(url)
  await signIn(there, email)
  await isSignedIn(there, email)
  await button(there, 'End all others').click()
  await there.getByText('This is the only session now.').waitFor()
  expect(await there.getByRole('button', { name: 'End it: the session of' }).count()).toBe(1)

  expectRefusals(...OF_ENDED_SESSION)
  await ask(here)
  await isSignedOut(here)
  await nothingIsLeft(here, email, 'soon to be gone')
  await signIn(here, email)
  await isSignedIn(here, email)
  expect(await readNote(here)).toBe('')
})

test('such a session also ends when the page becomes visible again or is reloaded', async () => {
  const { url } = await servePlayground()
  const there = await open(url)
  const email = await signUp(there)
  const others = [await open(url), await open(url)] as const
  for (const page of others) {
    await signIn(page, email)
    await isSignedIn(page, email)
    await keepNote(page, 'gone too')
  }
  // The session has not ended yet, so it stays.
  await comeBack(others[0])
  await isSignedIn(others[0], email)

  await button(there, 'Look again').click()
  const ends = there.getByRole('button', { name: 'End it: the session of Playground in Chrome' })
  await until(async () => (await ends.count()) === 3)
  const items = step(there, 'Where you are signed in').getByRole('listitem')
  for (const left of [2, 1]) {
    const notThisOne = items.filter({ hasNotText: '(this one)' }).first()
    await notThisOne.getByRole('button').click()
    await there.getByText('Ended. Its tokens are refused').waitFor()
    await until(async () => (await ends.count()) === left)
  }
  expectRefusals(...OF_ENDED_SESSION)
  await comeBack(others[0])
  await reload(others[1])
  for (const page of others) {
    await isSignedOut(page)
    await nothingIsLeft(page, email, 'gone too')
  }
})

test("ending one's own session from the list signs out", async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  const email = await signUp(page)
  await keepNote(page, 'last words')
  expectRefusals(...OF_ENDED_SESSION)
  await page.getByRole('button', { name: 'End it: the session of' }).click()
  await isSignedOut(page)
  await nothingIsLeft(page, email, 'last words')
})

test('an answer that arrives after the session has ended is not shown', async () => {
  const { url } = await servePlayground()
  const profile = await newProfile()
  const [page, other] = [await open(url, profile), await open(url, profile)]
  const email = await signUp(page)
  await reload(other)
  await isSignedIn(other, email)
  // Both requests for the list: at the start of the page, and by the button.
  for (const way of ['start', 'button']) {
    const release = new EventEmitter()
    let isHeld = false
    await page.route('**/account/sessions', async (route) => {
      const response = await route.fetch()
      const released = once(release, 'now')
      isHeld = true
      await released
      await route.fulfill({ response })
    })
    if (way === 'button') await button(page, 'Look again').click()
    else await reload(page, button(page, 'Reload this page'))
    await until(() => isHeld)
    await button(other, 'Sign out').click()
    await isSignedOut(page)
    const shown = page.waitForResponse('**/account/sessions')
    release.emit('now')
    await (await shown).finished()
    await page.unroute('**/account/sessions')
    await comeBack(page)
    await nothingIsLeft(page, email)
    await signIn(other, email)
    await isSignedIn(other, email)
    await reload(page)
    await isSignedIn(page, email)
  }
})

/** Makes the vault's cryptography wait, once, while `isHeld` names the operation. */
function withSlowVault() {
  // The initial empty page has no storage.
  if (location.protocol === 'about:') return
  const state = { isHeld: '', waiting: 0, release: (): void => undefined }
  Object.assign(globalThis, { slow: state })
  const released = new Promise<void>((resolve) => {
    state.release = () => {
      state.isHeld = ''
      resolve()
    }
  })
  // Holds back the reading at the start.
  state.isHeld = sessionStorage.getItem('hold') ?? ''
  sessionStorage.removeItem('hold')
  // Proofs are signed too, but their texts are much longer than the name of a note.
  const isVault = (key: CryptoKey, { byteLength }: ArrayBuffer) =>
    key.algorithm.name === 'HMAC'
      ? byteLength < 50
      : (key.algorithm as AesKeyAlgorithm).length === 256
  for (const name of ['sign', 'decrypt'] as const) {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- taken to be replaced
    SubtleCrypto.prototype[name] = new Proxy(SubtleCrypto.prototype[name], {
      async apply(method, subtle: SubtleCrypto, args: never[]) {
        if (state.isHeld === name && isVault(args[1]!, args[2]!)) {
          state.waiting++
          await released
        }
        return (method as (...args: unknown[]) => Promise<ArrayBuffer>).apply(subtle, args)
      },
    })
  }
}

test.each(['decrypt', 'sign'])(
  'a vault that is being read (%s) when its session ends shows nothing to the next person',
  async (method) => {
    const { url } = await servePlayground()
    const profile = await newProfile({}, withSlowVault)
    const [page, other] = [await open(url, profile), await open(url, profile)]
    const email = await signUp(page)
    await keepNote(page, 'of A alone')
    await reload(other)
    await isSignedIn(other, email)

    await page.evaluate((method) => {
      sessionStorage.setItem('hold', method)
    }, method)
    await reload(page)
    await until(() => page.evaluate(() => slow.waiting > 0))
    await button(other, 'Sign out').click()
    await isSignedOut(page)
    // Nothing is held back for the next person.
    await page.evaluate(() => {
      slow.isHeld = ''
    })
    const next = await signUp(page)
    await keepNote(page, 'of B')
    await page.evaluate(() => {
      slow.release()
    })
    await isSignedIn(page, next)
    await until(async () => (await readNote(page)) === 'of B')
    // Waits for whatever the first person's work still does.
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)))
    expect(await readNote(page)).toBe('of B')
    expect(await page.getByText('(this one)').count()).toBe(1)
    expect(await page.getByRole('region', { name: 'The JWE' }).textContent()).not.toBe('')
    expect(await page.getByRole('alert').textContent()).toBe('')
    const shown = await page.evaluate(() => document.documentElement.outerHTML)
    expect(shown).not.toContain(email)
    expect(shown).not.toContain('of A alone')
  },
)

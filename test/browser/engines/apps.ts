/** An app in a tab of any engine: an empty page with the client, which records everything that goes wrong. */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals'
import type { AuthClient, AuthError } from '../../../client/index.ts'
import type * as Client from '../../../client/index.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import { CLIENT_PATH, PAGE_PATH } from '../client-page.ts'
import { stopServers } from '../servers.ts'
import type { Engine, Profile, Tab } from './engine.ts'

declare global {
  var client: typeof Client
  var auth: AuthClient
  /** What went wrong in the page. */
  var problems: string[]
}

let profile: Profile
let tabs: Tab[] = []

/** Starts a browser for the tests of a file. Each test has its own profile, and fails if a page has a problem. */
export function useEngine(launch: () => Promise<Engine>): void {
  let engine: Engine
  beforeAll(async () => {
    engine = await launch()
  })
  beforeEach(async () => {
    tabs = []
    profile = await engine.newProfile()
  })
  afterEach(async () => {
    const found = await Promise.all(tabs.map(problemsOf))
    await profile.close()
    await stopServers()
    expect(found.flat()).toEqual([])
  })
  afterAll(() => engine.close())
}

/** Opens the app in a new tab, and resumes the session, if there is one. */
export async function openApp(url: string): Promise<Tab> {
  const tab = await profile.openTab(url + PAGE_PATH)
  tabs.push(tab)
  await resume(tab)
  return tab
}

/** Reloads the page, and opens the app in it. */
export async function reopen(tab: Tab): Promise<void> {
  // The page's own record is lost with the page.
  expect(await problemsOf(tab)).toEqual([])
  await tab.reload()
  await resume(tab)
}

const resume = (tab: Tab) =>
  tab.evaluate(async (path) => {
    globalThis.problems = []
    const note = (...parts: unknown[]) => problems.push(parts.map(String).join(' '))
    // eslint-disable-next-line no-console -- where the test listens
    console.error = note
    addEventListener('error', ({ message }) => note(message))
    addEventListener('unhandledrejection', ({ reason }) => note(reason))
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      note('CSP violation:', violatedDirective, blockedURI),
    )
    globalThis.client = (await import(path)) as typeof Client
    const answer = await fetch('/.well-known/oauth-authorization-server')
    const { issuer } = (await answer.json()) as { issuer: string }
    const store = await client.browserStore()
    // Otherwise nothing would be stored, and everything would still work.
    if (store.warning !== undefined) note(store.warning)
    globalThis.auth = new client.AuthClient({ server: location.origin, issuer, store })
    await auth.resume()
  }, CLIENT_PATH)

const problemsOf = (tab: Tab) => tab.evaluate(() => problems)

export async function signUp(tab: Tab): Promise<string> {
  const email = someEmail()
  const person = { email, password: GOOD_PASSWORD }
  await tab.evaluate(async (person) => {
    await auth.signUp(person)
  }, person)
  return email
}

/** The address of the signed-in person, from the server, or the error's code. */
export const whoIs = (tab: Tab) =>
  tab.evaluate(() =>
    auth.account.read().then(
      ({ account }) => account.email,
      (error: unknown) => (error as AuthError).code,
    ),
  )

export const keep = (tab: Tab, note: string) =>
  tab.evaluate(async (note) => (await auth.vault()).set('note', note), note)

export const readNote = (tab: Tab) => tab.evaluate(async () => (await auth.vault()).get('note'))

/**
 * A real Chromium, and the page in it. A test fails on everything that the page writes to the console
 * as an error, throws, or has refused by its Content-Security-Policy, unless it has said so before.
 */
import { features } from '../../server/features.ts'
import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Locator,
  type Page,
} from 'playwright-core'
import type * as Client from '../../client/index.ts'
import type { Config } from '../../server/config/config.ts'
import { generateKeys } from '../../server/commands/keys/folder-changes.ts'
import type { KeyFolder } from '../../server/keystore/folder.ts'
import { createLogger } from '../../server/log/logger.ts'
import { startServer, type RunningServer } from '../../server/start.ts'
import { GOOD_PASSWORD, someEmail } from '../support/client.ts'
import { testConfig } from '../support/config.ts'
import { freePort } from '../support/process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

declare global {
  /** What the page's client.js exports; see `openWithClient`. */
  var client: typeof Client
}

export const PASSWORD = GOOD_PASSWORD
const PATIENCE = 20_000
const BUNDLE = join(import.meta.dirname, '../../dist/browser')
const ARGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
]

let browser: Browser
const contexts: BrowserContext[] = []
const pages: Page[] = []
const servers = new Set<{ stop(): Promise<void> }>()
const folders: string[] = []
/** What was wrong with a page, as far as the test has not said that it would be. */
let problems: string[] = []
let expected: RegExp[] = []

beforeAll(async () => {
  const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
  browser = await chromium.launch({ executablePath, args: ARGS })
})

afterEach(async () => {
  await Promise.all(pages.splice(0).map(closePage))
  await Promise.all(contexts.splice(0).map((context) => context.close()))
  await Promise.all([...servers].map((server) => server.stop()))
  servers.clear()
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true, force: true })))
  const [found, allowed] = [problems, expected]
  problems = []
  expected = []
  expect(found.filter((problem) => !allowed.some((pattern) => pattern.test(problem)))).toEqual([])
})

afterAll(() => browser.close())

/**
 * The test provokes these answers, which Chromium reports as errors: statuses and paths, such as
 * `401 /account`.
 */
export function expectRefusals(...answers: `${number} ${string}`[]): void {
  for (const answer of answers) {
    const [status, path] = answer.split(' ')
    expected.push(new RegExp(`^Failed to load resource: .* status of ${status} .* at ${path}$`))
  }
}

/** The test takes the server away: requests to these paths fail. */
export function expectUnreachable(...paths: string[]): void {
  for (const path of paths) {
    expected.push(new RegExp(`^Failed to load resource: net::ERR_[A-Z_]+ at ${path}$`))
  }
}

/** A browser profile of its own. `init` runs in each of its pages before anything else. */
export async function newProfile(
  options: BrowserContextOptions = {},
  init?: () => void,
): Promise<BrowserContext> {
  const context = await browser.newContext(options)
  contexts.push(context)
  context.setDefaultTimeout(PATIENCE)
  context.on('console', (message) => {
    if (message.type() !== 'error') return
    const { url } = message.location()
    const place = URL.canParse(url) ? ` at ${new URL(url).pathname}` : ''
    problems.push(message.text() + place)
  })
  context.on('weberror', (event) => problems.push(String(event.error())))
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      // eslint-disable-next-line no-console -- where the test listens
      console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`)
    })
  })
  if (init !== undefined) await context.addInitScript(init)
  return context
}

/** The playground in a new tab, when it shows the key, and so is ready for somebody to use it, or another text. */
export async function open(
  url: string,
  profile?: BrowserContext,
  text = 'Its name, the thumbprint',
): Promise<Page> {
  const page = await (profile ?? (await newProfile())).newPage()
  pages.push(page)
  await page.coverage.startJSCoverage({ resetOnNavigation: false })
  await page.goto(url)
  await page.getByText(text).waitFor()
  return page
}

/** The same, with the client at hand in `page.evaluate`, as `client`. */
export async function openWithClient(url: string, profile?: BrowserContext): Promise<Page> {
  const page = await open(url, profile)
  await page.evaluate(async () => {
    const path = '/playground/client.js'
    globalThis.client = (await import(path)) as typeof Client
  })
  return page
}

async function closePage(page: Page): Promise<void> {
  await writeCoverage(page)
  await page.close()
}

/** Loads the page again by a click, or as a person would. */
export async function reload(page: Page, button?: Locator): Promise<void> {
  // What was counted in a document is lost with it.
  await writeCoverage(page)
  await page.coverage.startJSCoverage({ resetOnNavigation: false })
  await (button === undefined ? page.reload() : button.click())
}

/** Writes down what V8 has counted in a tab. */
async function writeCoverage(page: Page): Promise<void> {
  const entries = await page.coverage.stopJSCoverage()
  const folder = process.env['BROWSER_COVERAGE']
  if (folder === undefined) return
  const scripts = entries.flatMap(({ url, scriptId, functions, source }) => {
    const name = new URL(url).pathname.replace('/playground/', '')
    if (name !== 'client.js' && name !== 'playground.js') return []
    // Not the one that the source map is for.
    if (source !== readFileSync(join(BUNDLE, name), 'utf8')) return []
    return [{ url: name, scriptId, functions }]
  })
  writeFileSync(join(folder, `${randomUUID()}.json`), JSON.stringify(scripts))
}

const off = 'off' as const
const UNLIMITED = { login: off, signUp: off, clients: off, refresh: off }

/** A server by the real clock, as the browser has no other. */
export async function serve(config: Partial<Config> = {}): Promise<TestServer> {
  const clock = Object.assign(() => Date.now(), { advance: () => undefined })
  const server = await startTestServer({ clock, config: { rateLimits: UNLIMITED, ...config } })
  servers.add(server)
  return server
}

/** A server at one address that can be stopped and started again, with its keys and its data in a folder. */
export async function restartable(preserveSessions: boolean) {
  const scratch = await mkdtemp(join(tmpdir(), 'jwe-auth-browser-'))
  folders.push(scratch)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const config = testConfig(
    {
      ...{ port, issuer: url, preserveSessions, rateLimits: UNLIMITED },
      ...{ databaseFile: join(scratch, 'auth.db'), keysDir: join(scratch, 'keys') },
    },
    {},
    features,
  )
  const folder: KeyFolder = {
    path: config.keysDir,
    passphrase: undefined,
    algorithms: config.algorithms,
  }
  if (preserveSessions) await generateKeys(folder)
  let running: RunningServer | undefined
  const server = {
    url,
    folder,
    async start() {
      running = await startServer(config, features, createLogger('silent'))
    },
    async stop() {
      await running?.stop()
      running = undefined
    },
    async restart() {
      await server.stop()
      await server.start()
    },
    reloadKeys: async () => running?.reloadKeys(),
  }
  servers.add(server)
  return server
}

/** Waits for something to become true; nothing else tells when. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`It never became true: ${isTrue.toString()}`)
    await sleep(20)
  }
}

export const button = (within: Page | Locator, name: string): Locator =>
  within.getByRole('button', { name, exact: true })

/** A section of the page, by its heading. */
export const step = (page: Page, name: string): Locator => page.getByRole('region', { name })

async function fill(page: Page, email: string, password: string): Promise<void> {
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password', { exact: true }).fill(password)
}

export async function signUp(page: Page, email = someEmail()): Promise<string> {
  await fill(page, email, PASSWORD)
  await button(page, 'Sign up').click()
  await isSignedIn(page, email)
  return email
}

export async function signIn(page: Page, email: string, password = PASSWORD): Promise<void> {
  await fill(page, email, password)
  await button(page, 'Sign in').click()
}

/** Waits until the page shows who is signed in, and every step. */
export async function isSignedIn(page: Page, email: string): Promise<void> {
  await page.getByText(`Signed in as ${email}.`).waitFor()
  // The last step is the last to be shown.
  await page.getByText('(this one)').waitFor()
}

/** Waits until the page shows the form, and makes sure that it says nothing more. */
export async function isSignedOut(page: Page): Promise<void> {
  await button(page, 'Sign up').waitFor()
  await page.getByText('Steps 3 to 9 begin when').waitFor()
  expect(await page.getByRole('alert').textContent()).toBe('')
}

/** Asks the server who one is by step 6, and gives back what the page shows. */
export async function ask(page: Page): Promise<string> {
  const exchange = page.locator('#exchange')
  await exchange.evaluate((node) => {
    node.replaceChildren()
  })
  await button(page, 'Ask the server who I am').click()
  const steps = page.locator('#steps')
  await until(async () => (await exchange.textContent()) !== '' || !(await steps.isVisible()))
  return (await exchange.textContent()) ?? ''
}

export async function keepNote(page: Page, note: string): Promise<void> {
  await page.getByLabel('A note to keep').fill(note)
  await button(page, 'Keep it').click()
  await page.getByText(/^Kept/).waitFor()
}

export const readNote = (page: Page): Promise<string> =>
  page.getByLabel('A note to keep').inputValue()

export interface Database {
  readonly name: string
  /** Every record with its key, as JSON; bytes as characters, a key as what it tells of itself. */
  readonly text: string
}

/** All that IndexedDB holds, behind the library's back. */
export const databases = (page: Page): Promise<Database[]> =>
  page.evaluate(async () => {
    const result = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => {
          resolve(request.result)
        }
        request.onerror = () => {
          reject(new Error('It cannot be read.'))
        }
      })
    const tell = (_: string, value: unknown): unknown => {
      if (value instanceof Uint8Array)
        return Array.from(value, (x) => String.fromCharCode(x)).join('')
      if (!(value instanceof CryptoKey)) return value
      return { type: value.type, extractable: value.extractable, usages: value.usages }
    }
    const found: Database[] = []
    for (const { name = '' } of await indexedDB.databases()) {
      const database = await result(indexedDB.open(name))
      const [store] = database.objectStoreNames
      const records: unknown[] = []
      if (store !== undefined) {
        const reading = database.transaction(store).objectStore(store)
        const [keys, values] = await Promise.all([
          result(reading.getAllKeys()),
          result(reading.getAll() as IDBRequest<unknown[]>),
        ])
        keys.forEach((key, index) => records.push([key, values[index]]))
      }
      database.close()
      found.push({ name, text: JSON.stringify(records, tell) })
    }
    return found
  })

/** Nothing of a person may be left: not in the document, not in a form, not in a database. */
export async function nothingIsLeft(page: Page, ...secrets: string[]): Promise<void> {
  // The page is quick to show the form, and then cleans up.
  await until(async () => (await databases(page)).length === 1)
  const [kept] = await databases(page)
  expect(kept!.name).toBe('jwe-auth-server')
  expect(kept!.text).not.toContain('["session"')
  const shown = await page.evaluate(() =>
    [
      document.documentElement.outerHTML,
      ...[...document.querySelectorAll('input,textarea')].map(
        (field) => (field as HTMLInputElement).value,
      ),
      JSON.stringify([localStorage, sessionStorage, document.cookie, history.state]),
    ].join('\n'),
  )
  const left = [...secrets, 'eyJ'].filter((secret) => (shown + kept!.text).includes(secret))
  expect(left).toEqual([])
}

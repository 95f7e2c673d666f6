/**
 * A real Chromium, and pages in it. A test fails on everything that a page writes to the console as an
 * error, throws, or has refused by its Content-Security-Policy, unless it has said so before.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core'
import type * as Client from '../../client/index.ts'
import { GOOD_PASSWORD } from '../support/client.ts'
import { CLIENT_PATH, PAGE_PATH, PAGE_TEXT } from './client-page.ts'
import { startChromium } from './engines/chromium.ts'
import { stopServers } from './servers.ts'

declare global {
  /** What client.js exports; see `openWithClient`. */
  var client: typeof Client
}

export const PASSWORD = GOOD_PASSWORD
const PATIENCE = 20_000
const BUNDLE = join(import.meta.dirname, '../../dist/browser')

let browser: Browser
const contexts: BrowserContext[] = []
const pages: Page[] = []
/** Problems of a page that the test has not announced. */
let problems: string[] = []
let expected: RegExp[] = []

beforeAll(async () => {
  browser = await startChromium()
})

afterEach(async () => {
  await Promise.all(pages.splice(0).map(closePage))
  await Promise.all(contexts.splice(0).map((context) => context.close()))
  await stopServers()
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

/** Its own browser profile. `init` runs in each of its pages before anything else. */
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

/** Opens a new tab, and waits until it shows a text. */
export async function openTab(url: string, text: string, profile?: BrowserContext): Promise<Page> {
  const page = await (profile ?? (await newProfile())).newPage()
  pages.push(page)
  await page.coverage.startJSCoverage({ resetOnNavigation: false })
  await page.goto(url)
  await page.getByText(text).waitFor()
  return page
}

/** An empty page, with the client as `client` in `page.evaluate`. */
export async function openWithClient(url: string, profile?: BrowserContext): Promise<Page> {
  const page = await openTab(url + PAGE_PATH, PAGE_TEXT, profile)
  await loadClient(page)
  return page
}

/** For a reloaded page. */
export const loadClient = (page: Page): Promise<void> =>
  page.evaluate(async (path) => {
    globalThis.client = (await import(path)) as typeof Client
  }, CLIENT_PATH)

async function closePage(page: Page): Promise<void> {
  await writeCoverage(page)
  await page.close()
}

/** Reloads the page, by a click or as a person would. */
export async function reload(page: Page, button?: Locator): Promise<void> {
  // A document's coverage is lost with it.
  await writeCoverage(page)
  await page.coverage.startJSCoverage({ resetOnNavigation: false })
  await (button === undefined ? page.reload() : button.click())
}

/** Records V8's coverage of a tab. */
async function writeCoverage(page: Page): Promise<void> {
  const entries = await page.coverage.stopJSCoverage()
  const folder = process.env['BROWSER_COVERAGE']
  if (folder === undefined) return
  const scripts = entries.flatMap(({ url, scriptId, functions, source }) => {
    const name = basename(new URL(url).pathname)
    const file = join(BUNDLE, name)
    // The source map covers nothing else.
    if (!existsSync(`${file}.map`) || source !== readFileSync(file, 'utf8')) return []
    return [{ url: name, scriptId, functions }]
  })
  writeFileSync(join(folder, `${randomUUID()}.json`), JSON.stringify(scripts))
}

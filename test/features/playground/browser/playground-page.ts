/** Uses the playground as a person does. */
import { expect } from '@jest/globals'
import type { BrowserContext, Locator, Page } from 'playwright-core'
import type { Config } from '../../../../server/config/config.ts'
import { features } from '../../../../server/features.ts'
import { databases, TOKEN } from '../../../browser/databases.ts'
import { restartable, serve, until } from '../../../browser/servers.ts'
import { openTab, PASSWORD } from '../../../browser/support.ts'
import { someEmail } from '../../../support/client.ts'

/** A server with the playground, all that it shows, and the real clock. */
export const servePlayground = (config: Partial<Config> = {}) => serve(config, features)

/** A server with the playground at one address, which can be stopped and started again. */
export const restartablePlayground = (preserveSessions: boolean) =>
  restartable(preserveSessions, features)

/** Opens the playground in a new tab, and waits until it shows the key, or another text. */
export const open = (
  url: string,
  profile?: BrowserContext,
  text = 'Its name, the thumbprint',
): Promise<Page> => openTab(url, text, profile)

export const button = (within: Page | Locator, name: string): Locator =>
  within.getByRole('button', { name, exact: true })

/** A section of the page, found by its heading. */
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

/** Waits until the page shows the person and every step. */
export async function isSignedIn(page: Page, email: string): Promise<void> {
  await page.getByText(`Signed in as ${email}.`).waitFor()
  // The last step is shown last.
  await page.getByText('(this one)').waitFor()
}

/** Waits until the page shows the form, and checks that it shows no error. */
export async function isSignedOut(page: Page): Promise<void> {
  await button(page, 'Sign up').waitFor()
  await page.getByText('Steps 3 to 10 appear once').waitFor()
  expect(await page.getByRole('alert').textContent()).toBe('')
}

/** Asks the server who is signed in, as step 6 does, and returns what the page shows. */
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

/** Checks that no data of a person is left in the document, the form or a database. */
export async function nothingIsLeft(page: Page, ...secrets: string[]): Promise<void> {
  // The page shows the form before it has cleaned up.
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
  const left = secrets.filter((secret) => (shown + kept!.text).includes(secret))
  expect(left).toEqual([])
  expect(shown + kept!.text).not.toMatch(TOKEN)
}

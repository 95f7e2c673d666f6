/** Signing up and in, reloading, and what is stored on the disk. */
import { expect, test } from '@jest/globals'
import { databases, TOKEN } from '../../../browser/databases.ts'
import { until } from '../../../browser/servers.ts'
import { expectRefusals, PASSWORD, reload } from '../../../browser/support.ts'
import { someEmail } from '../../../support/client.ts'
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
} from './playground-page.ts'

test('a person signs up, signs out and signs in', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  await isSignedOut(page)
  const email = await signUp(page)
  await until(() => button(page, 'Sign out').evaluate((node) => node === document.activeElement))
  await button(page, 'Sign out').click()
  await isSignedOut(page)
  await nothingIsLeft(page, email, PASSWORD)
  await signIn(page, email)
  await isSignedIn(page, email)
  await button(page, 'Sign out here').click()
  await isSignedOut(page)
})

test('a wrong password and a taken address are reported, and the form keeps what was typed', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  const email = await signUp(page)
  await button(page, 'Sign out').click()
  await isSignedOut(page)

  expectRefusals('401 /account/login', '409 /account')
  await signIn(page, email, 'not the password')
  await page.getByText('(invalid_grant)').waitFor()
  expect(await page.getByLabel('E-mail address').inputValue()).toBe(email)
  await button(page, 'Sign up').click()
  await page.getByText('(account_exists)').waitFor()
  await until(() => button(page, 'Sign up').evaluate((node) => node === document.activeElement))
  await signIn(page, email)
  await isSignedIn(page, email)
})

test('the reason why a password is refused is a sentence that can be seen', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  await page.setViewportSize({ width: 390, height: 300 })
  expectRefusals('400 /account')
  await page.getByLabel('E-mail address').fill(someEmail())
  await page.getByLabel('Password', { exact: true }).fill('12345678')
  await button(page, 'Sign up').click()
  const reason = page.getByText('Password is one of the most common ones. (invalid_request)')
  await until(() =>
    reason.evaluate((node) => node.getBoundingClientRect().bottom <= window.innerHeight),
  )
})

test('a generated person signs up, and the password stays visible until the sign-out', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  await button(page, 'Make somebody up').click()
  const password = page.getByLabel('Password', { exact: true })
  const show = page.getByLabel('Show the password')
  expect(await password.getAttribute('type')).toBe('text')
  await show.uncheck()
  expect(await password.getAttribute('type')).toBe('password')
  await show.check()
  expect(await password.getAttribute('type')).toBe('text')
  const email = await page.getByLabel('E-mail address').inputValue()
  const secret = await password.inputValue()
  await button(page, 'Sign up').click()
  await isSignedIn(page, email)
  // Shown for use in another window, because nobody knows it.
  await page.getByText(secret).waitFor()
  expect(await password.inputValue()).toBe('')
  await button(page, 'Sign out').click()
  await isSignedOut(page)
  await page.getByText('Signed out. The key to the vault').waitFor()
  expect(await password.getAttribute('type')).toBe('password')
  await nothingIsLeft(page, email, secret)
})

test('a reload needs no password and restores the note, and the disk holds nothing readable', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  const email = await signUp(page)
  const note = 'Tea at four, under the clock'
  await keepNote(page, note)
  const jws = (await page.getByRole('region', { name: 'The JWS' }).textContent())!
  const jwe = (await page.getByRole('region', { name: 'The JWE' }).textContent())!

  const kept = await databases(page)
  expect(kept.map(({ name }) => name.split(' ')[1])).toEqual([undefined, 'vault'])
  const text = kept.map((database) => database.text).join('\n')
  expect(text).toContain(jwe)
  for (const secret of [note, '"note"', email, PASSWORD, jws, jws.split('.')[1]!]) {
    expect(text).not.toContain(secret)
  }
  // Every stored token is a JWE with five parts, so no JWS is stored.
  const tokens = text.match(TOKEN)!
  expect(tokens.map((token) => token.split('.').length)).toEqual([5, 5])

  await reload(page, button(page, 'Reload this page'))
  await page.getByText('Read back from this device').waitFor()
  await isSignedIn(page, email)
  expect(await readNote(page)).toBe(note)
  // The page shows what the disk holds, which is not the note.
  const disk = (await page.locator('#disk').textContent())!
  expect(disk).toMatch(/The same note, as stored on the disk[\w-]{40}/)
  expect(await ask(page)).toContain(email)
})

test('the page can be used with the keyboard only', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  const focused = () =>
    page.evaluate(() => {
      const { activeElement: node } = document
      return `${node?.id === '' ? node.textContent : node?.id}`
    })
  const tabTo = async (id: string) => {
    for (let presses = 0; (await focused()) !== id; presses++) {
      expect(presses).toBeLessThan(30)
      await page.keyboard.press('Tab')
    }
  }
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('To the first step')
  await page.keyboard.press('Enter')
  await tabTo('export')
  await page.keyboard.press('Enter')
  await page.getByText('Refused by the browser').waitFor()
  await tabTo('email')
  await page.keyboard.type('keys@mail.test')
  await page.keyboard.press('Tab')
  await page.keyboard.type(PASSWORD)
  await page.keyboard.press('Enter')
  await isSignedIn(page, 'keys@mail.test')
  await until(async () => (await focused()) === 'sign-out')
  await tabTo('ask')
  await page.keyboard.press('Enter')
  await page.getByText('What the server answered').waitFor()
  await until(async () => (await focused()) === 'ask')
  await tabTo('leave')
  await page.keyboard.press('Enter')
  await isSignedOut(page)
  await page.getByText('Signed out. The key to the vault').waitFor()
  await until(async () => (await focused()) === 'email')
})

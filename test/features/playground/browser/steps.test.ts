/** Every step of the page, compared with the server and the real tokens. */
import { expect, test } from '@jest/globals'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { playground } from '../../../../server/features/playground/index.ts'
import { DEFAULTS } from '../../../keystore/fixtures.ts'
import { TestClient } from '../../../support/client.ts'
import { serve, until } from '../../../browser/servers.ts'
import { expectRefusals, reload } from '../../../browser/support.ts'
import {
  ask,
  button,
  isSignedIn,
  keepNote,
  open,
  servePlayground,
  signIn,
  signUp,
  step,
} from './playground-page.ts'

const CLAIMS = ['iss', 'sub', 'aud', 'client_id', 'iat', 'exp', 'jti', 'sid', 'scope']

test('step 1 shows the key with its thumbprint, as the server has it', async () => {
  const { url, database } = await servePlayground()
  const page = await open(url)
  const [client] = await database.selectFrom('clients').selectAll().execute()
  const facts = await step(page, 'This browser’s key').locator('dd').allTextContents()
  expect(facts[0]).toBe(client!.client_id)
  expect(facts[1]).toBe('EC, P-256')
  expect(facts[2]).toContain('marked as not extractable')
  await reload(page)
  await page.getByText(client!.client_id).waitFor()
})

test('links lead only to visible steps', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  const nav = page.getByRole('navigation', { name: 'Steps' })
  expect(await nav.getByRole('link').count()).toBe(2)
  await signUp(page)
  expect(await nav.getByRole('link').count()).toBe(10)
  for (const link of await nav.getByRole('link').all()) {
    const target = (await link.getAttribute('href'))!
    expect(await page.locator(target).isVisible()).toBe(true)
  }
  await button(page, 'Sign out').click()
  await until(async () => (await nav.getByRole('link').count()) === 2)
})

test('steps 3 and 4 show the parts of the token and its claims', async () => {
  const { url, config } = await servePlayground()
  const page = await open(url)
  await signUp(page)
  const jwe = page.getByRole('region', { name: 'The JWE' })
  const jws = page.getByRole('region', { name: 'The JWS' })
  for (const [region, count] of [
    [jwe, 5],
    [jws, 3],
  ] as const) {
    const spans = region.locator('span')
    const parts = await spans.allTextContents()
    expect(parts).toHaveLength(count)
    expect(parts.join('.')).toBe(await region.textContent())
    const colours = await spans.evaluateAll((all) =>
      all.map((node) => getComputedStyle(node).color),
    )
    expect(new Set(colours).size).toBe(count)
  }
  const list = await page.locator('#jwe-parts li').allTextContents()
  expect(list).toHaveLength(5)
  expect(list[0]).toContain('"cty": "JWT"')
  const { kid } = decodeProtectedHeader((await jwe.textContent())!)
  expect(await step(page, 'This browser’s key').locator('code').textContent()).toBe(kid)

  const token = (await jws.textContent())!
  const claims = decodeJwt(token)
  expect(claims.iss).toBe(config.issuer)
  const rows = await page
    .locator('#claims tr')
    .evaluateAll((all) =>
      all.map((row) => [...row.querySelectorAll('th, td')].map((cell) => cell.textContent)),
    )
  const inside = [...Object.keys(decodeProtectedHeader(token)), ...Object.keys(claims)]
  expect(rows.map(([name]) => name).sort()).toEqual(inside.sort())
  expect(rows.map(([name]) => name)).toEqual(expect.arrayContaining(CLAIMS))
  for (const [name, value, meaning] of rows) {
    const there = { ...decodeProtectedHeader(token), ...claims }[name!]
    expect(value!.startsWith(name === 'cnf' ? JSON.stringify(there) : String(there))).toBe(true)
    expect(meaning).not.toBe('')
  }
})

test('step 4 counts down, and an expiring token is renewed', async () => {
  const { url } = await servePlayground({ accessTokenTtl: 4 })
  const page = await open(url)
  const email = await signUp(page)
  const jws = page.getByRole('region', { name: 'The JWS' })
  const countdown = page.getByRole('timer')
  const first = await jws.textContent()
  await until(async () => /^Expires in 0 min 0[12] s$/.test((await countdown.textContent()) ?? ''))
  await until(async () => (await jws.textContent()) !== first)
  expect(decodeJwt((await jws.textContent())!)['sid']).toBe(decodeJwt(first!)['sid'])
  await isSignedIn(page, email)
})

test('step 5 detects every change', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  await signUp(page)
  const section = step(page, 'Who wrote it?')
  const letter = section.getByLabel('The letter, for you to change')
  const verdict = section.getByRole('status')
  const original = await letter.inputValue()
  const says = async (text: string) => {
    await verdict.getByText(text).waitFor()
  }
  await says('The signature is valid: the server wrote every character. Scope: “user”.')
  for (let flips = 0; flips < 2; flips++) {
    await button(section, 'Change one character').click()
    await says('Refused: one character has changed')
    await button(section, 'Put it back').click()
    await says('The signature is valid')
    expect(await letter.inputValue()).toBe(original)
  }
  await button(section, 'Change one character').click()
  await button(section, 'Change one character').click()
  await button(section, 'Make me an admin').click()
  await says('It now claims the scope “user admin”, but nobody believes it.')
  await letter.fill(original.replace(/^../, 'xx'))
  await says('Refused: 2 characters have changed')
  await letter.fill('')
  await says('Refused: the letter has changed, and the signature no longer matches.')
  await letter.fill(` ${original}\n`)
  await says('The signature is valid')
})

test('step 5 keeps an edited token when the token is renewed', async () => {
  const { url } = await servePlayground({ accessTokenTtl: 4 })
  const page = await open(url)
  await signUp(page)
  const jws = page.getByRole('region', { name: 'The JWS' })
  const letter = page.getByLabel('The letter, for you to change')
  const first = (await jws.textContent())!
  await letter.fill('in the middle of it')
  await until(async () => (await jws.textContent()) !== first)
  expect(await letter.inputValue()).toBe('in the middle of it')
  await letter.fill(first)
  await page.getByText('The signature is valid, but the token has expired.').waitFor()
  await button(page, 'Put it back').click()
  await until(async () => (await letter.inputValue()) === (await jws.textContent()))
})

test('steps 6 and 7 show a bound request, and that copies of it are refused', async () => {
  const { url, config } = await servePlayground()
  const page = await open(url)
  const email = await signUp(page)
  const [replay, move] = [
    button(page, 'Send the same request again'),
    button(page, 'Use it for another request'),
  ]
  expect([await replay.isDisabled(), await move.isDisabled()]).toEqual([true, true])

  const asked = page.waitForRequest('**/account')
  const shown = await ask(page)
  const sent = (await (await asked).headerValue('authorization'))!.replace('Bearer ', '')
  expect(shown).toContain('GET /account\nAuthorization: Bearer ')
  expect(shown).toContain(sent.slice(0, 60))
  expect(shown).toContain('200 OK')
  expect(shown).toContain(email)
  expect(shown).toContain('(not shown: the key of step 9)')
  const header = JSON.parse(await page.locator('#exchange pre').nth(1).innerText()) as {
    kid: string
    req: object
  }
  expect(header).toEqual(decodeProtectedHeader(sent))
  expect(header.req).toMatchObject({ htm: 'GET', htu: `${config.issuer}/account` })

  expectRefusals('401 /account', '401 /account/logout')
  const theft = page.locator('#theft')
  await replay.click()
  await theft.getByText('The server has seen the envelope').waitFor()
  expect(await theft.textContent()).toContain('GET /account, with the recorded token')
  expect(await theft.textContent()).toContain('401 Unauthorized')
  await move.click()
  await theft.getByText('The envelope names the request').waitFor()
  expect(await theft.textContent()).toContain('POST /account/logout, with the recorded token')
  // The session goes on, and a new request has a new binding.
  expect(await ask(page)).toContain('200 OK')
  expect(await theft.textContent()).toBe('')
})

test('step 7 reports a server that accepts a copy', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  await signUp(page)
  await ask(page)
  const theft = page.locator('#theft')
  for (const status of [200, 500]) {
    await page.route('**/account', (route) => route.fulfill({ status, json: {} }))
    if (status === 500) expectRefusals('500 /account')
    await button(page, 'Send the same request again').click()
    await theft.getByText(new RegExp(`^${status}`)).waitFor()
    await theft.getByText('It was not refused. That should not happen.').waitFor()
    await page.unroute('**/account')
  }
})

test('step 9 keeps no empty note', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  await signUp(page)
  await button(page, 'Keep it').click()
  await page.getByText('Write something first.').waitFor()
})

test('step 3 shows an empty encrypted key for direct key agreement', async () => {
  const { url, config } = await servePlayground({
    algorithms: { ...DEFAULTS, encryptionAlg: 'ECDH-ES' },
  })
  const page = await open(url)
  await signUp(page)
  expect(config.algorithms.encryptionAlg).toBe('ECDH-ES')
  const spans = page.getByRole('region', { name: 'The JWE' }).locator('span')
  expect((await spans.allTextContents())[1]).toBe('')
  await page.getByText('Encrypted key (empty).').waitFor()
  expect(await ask(page)).toContain('200 OK')
})

test('step 9 keeps a changed note', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  await signUp(page)
  await keepNote(page, 'a first note')
  const disk = page.locator('#disk pre')
  const first = await disk.textContent()
  expect(first).not.toContain('a first note')
  await keepNote(page, 'x'.repeat(500))
  await until(async () => (await disk.textContent()) !== first)
  expect(await disk.textContent()).toMatch(/… \(\d+ characters\)$/)
})

test('step 10 lists every session and ends the others', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  const email = await signUp(page)
  for (let others = 0; others < 2; others++) {
    const other = await open(url)
    await signIn(other, email)
    await isSignedIn(other, email)
  }
  // A client without a name.
  await (await TestClient.registered(url)).login(email)
  const section = step(page, 'Where you are signed in')
  const items = section.getByRole('listitem')
  await button(section, 'Look again').click()
  await until(async () => (await items.count()) === 4)
  expect(await items.filter({ hasText: 'A browser without a name' }).count()).toBe(1)
  expect(await items.filter({ hasText: 'Playground in Chrome (this one)' }).count()).toBe(1)
  await button(section, 'End all others').click()
  await section.getByText('This is the only session now.').waitFor()
  expect(await items.count()).toBe(1)
})

test('step 10 says so if the server does not list sessions', async () => {
  const { url } = await serve({}, [playground])
  const page = await open(url)
  await button(page, 'Make somebody up').click()
  await button(page, 'Sign up').click()
  const section = step(page, 'Where you are signed in')
  await section.getByText('This server does not list sessions.').waitFor()
  expectRefusals('404 /account/sessions')
  expect(await page.getByRole('alert').textContent()).toBe('')
})

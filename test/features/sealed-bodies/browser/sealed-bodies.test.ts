/** Sealed bodies in a real browser, from sign-up to removal. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import type { BrowserContext, Page, Request } from 'playwright-core'
import { SMTPServer } from 'smtp-server'
import type { AuthClient } from '../../../../client/index.ts'
import { features } from '../../../../server/features.ts'
import { clientPage } from '../../../browser/client-page.ts'
import { serve } from '../../../browser/servers.ts'
import { newProfile, openWithClient, loadClient, reload } from '../../../browser/support.ts'
import { someEmail } from '../../../support/client.ts'

declare global {
  /** The page's client. */
  var sealing: AuthClient
}

const PASSWORDS = ['velvet tangerine obelisk', 'marble lantern meadow', 'copper sparrow harbour']
const JOSE = 'application/jose'

/** Records everything that a profile exchanges with account and token routes. */
function watch(profile: BrowserContext) {
  const exchanges: Promise<Exchange>[] = []
  profile.on('requestfinished', (request) => {
    if (/^\/(account|token)/.test(new URL(request.url()).pathname)) exchanges.push(record(request))
  })
  return () => Promise.all(exchanges)
}
type Exchange = Awaited<ReturnType<typeof record>>
async function record(request: Request) {
  const response = (await request.response())!
  const headers = await request.allHeaders()
  const answer = await response.headerValue('content-type')
  const path = new URL(request.url()).pathname
  const token = headers['authorization']?.slice('Bearer '.length)
  const status = response.status()
  const body = request.postData()
  const text = status === 204 ? '' : await response.text()
  return { line: `${request.method()} ${path}`, status, token, body, headers, answer, text }
}

/** A mail server that keeps its last message. */
async function startMailServer() {
  let received: (message: string) => void
  const message = new Promise<string>((resolve) => (received = resolve))
  const smtp = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    disableReverseLookup: true,
    onData: (stream, _session, done) => {
      text(stream)
        .then(received, () => undefined)
        .finally(done)
    },
  })
  smtp.listen(0, '127.0.0.1')
  await once(smtp.server, 'listening')
  return {
    url: `smtp://127.0.0.1:${(smtp.server.address() as AddressInfo).port}`,
    /** The token in the message, with quoted-printable line breaks removed. */
    token: async () => /^eyJ\S+/m.exec((await message).replaceAll('=\r\n', ''))![0],
    async stop() {
      smtp.close()
      await once(smtp.server, 'close')
    },
  }
}

const open = (page: Page) =>
  page.evaluate(async () => {
    const metadata = await fetch('/.well-known/oauth-authorization-server')
    const { issuer } = (await metadata.json()) as { issuer: string }
    const store = await client.browserStore()
    globalThis.sealing = new client.AuthClient({
      server: location.origin,
      issuer,
      store,
      sealedBodies: 'required',
    })
    return (await sealing.resume())?.claims
  })

test('every request from sign-up to removal is sealed and key-bound', async () => {
  const mail = await startMailServer()
  const variables = { SEALED_BODIES: 'required', SMTP_URL: mail.url, MAIL_FROM: 'auth@mail.test' }
  const config = { requestBinding: 'required' } as const
  const { url } = await serve(config, [clientPage, ...features], variables)
  const profile = await newProfile()
  const exchanged = watch(profile)
  const page = await openWithClient(url, profile)
  await open(page)
  const email = someEmail()
  const [first, second, third] = PASSWORDS.map((password) => ({ email, password }))

  await page.evaluate((person) => sealing.signUp(person), { ...first!, name: 'Wilhelmina' })
  await reload(page)
  await loadClient(page)
  expect((await open(page))?.cnf).toBeDefined()
  await page.evaluate(async () => (await sealing.vault()).set('draft', 'Dear Ada'))
  await page.evaluate(() => sealing.signOut())
  await page.evaluate((person) => sealing.signIn(person), first!)
  await page.evaluate(
    ([old, fresh]) => sealing.account.changePassword(old!, fresh!),
    [first!.password, second!.password],
  )
  let last = second!
  // Password resets are a feature that may have been removed.
  if ((await fetch(`${url}/account/password-reset`, { method: 'PUT' })).status !== 404) {
    await page.evaluate((address) => sealing.account.requestPasswordReset(address), email)
    const reset = { ...third!, token: await mail.token() }
    await page.evaluate((values) => sealing.account.resetPassword(values), reset)
    last = third!
  }
  await page.evaluate((person) => sealing.signIn(person), last)
  const key = await page.evaluate(async () => (await sealing.account.read()).database_key)
  await page.evaluate((password) => sealing.account.remove(password), last.password)
  expect(await page.evaluate(() => sealing.session === undefined)).toBe(true)
  await mail.stop()

  const exchanges = await exchanged()
  const lines = exchanges.map(({ line }) => line)
  for (const line of ['POST /account', 'POST /account/login', 'PUT /account/password']) {
    expect(lines).toContain(line)
  }
  expect(lines.at(-1)).toBe('DELETE /account')
  const isSealed = ({ status, body, headers, answer }: Exchange) =>
    (body === null || headers['content-type'] === JOSE) && (status === 204 || answer === JOSE)
  expect(exchanges.filter((exchange) => !isSealed(exchange))).toEqual([])
  const tokens = exchanges.flatMap(({ token }) => (token === undefined ? [] : [token]))
  expect(tokens.length).toBeGreaterThanOrEqual(5)
  for (const token of tokens) {
    expect(decodeProtectedHeader(token)['req']).toMatchObject({ mac: expect.any(String) })
  }
  const wire = JSON.stringify(exchanges)
  for (const secret of [email, ...PASSWORDS, 'Wilhelmina', key!]) {
    expect(wire.includes(secret)).toBe(false)
  }
})

test('a page that requires sealing sends nothing to a server that does not offer it', async () => {
  const { url } = await serve({}, [clientPage, ...features])
  const profile = await newProfile()
  await profile.route('**/.well-known/oauth-authorization-server', async (route) => {
    const json = (await (await route.fetch()).json()) as object
    await route.fulfill({ json: { ...json, sealed_bodies: undefined } })
  })
  const exchanged = watch(profile)
  const page = await openWithClient(url, profile)
  await open(page)
  const code = await page.evaluate(
    (person) =>
      sealing.signUp(person).then(
        () => undefined,
        (error: unknown) => (error as { code: string }).code,
      ),
    { email: someEmail(), password: PASSWORDS[0]! },
  )
  expect([code, await exchanged()]).toEqual(['sealing_not_offered', []])
})

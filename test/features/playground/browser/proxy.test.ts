/** Step 8: what a proxy can read of a sign-up, compared with the real traffic. */
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { features } from '../../../../server/features.ts'
import { serve } from '../../../browser/servers.ts'
import { expectRefusals, expectUnreachable } from '../../../browser/support.ts'
import { ask, button, isSignedOut, open, servePlayground, signUp, step } from './playground-page.ts'

const READ_ALL = 'The proxy has read the address, the password, and the key to the vault.'
const READ_NOTHING =
  'The proxy has read nothing of this: the address, the password, and the key to the vault.'
const METADATA = '/.well-known/oauth-authorization-server'
const JWE = /^[\w-]+(\.[\w-]+){4}$/

let stop: (() => Promise<unknown>) | undefined
afterEach(() => stop?.())

/** A proxy in front of a server that records the bodies of sign-ups and of their answers. */
async function startProxy(server: string) {
  const seen: [sent: string, answered: string][] = []
  const proxy = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming
    void text(incoming).then(async (sent) => {
      const passed = request(server + url, { method, headers, agent: false })
      passed.end(sent)
      const [response] = (await once(passed, 'response')) as [typeof incoming]
      const answered = await text(response)
      if (method === 'POST' && url === '/account') seen.push([sent, answered])
      outgoing.writeHead(response.statusCode!, response.headers).end(answered)
    })
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  stop = () => {
    proxy.closeAllConnections()
    return new Promise((resolve) => proxy.close(resolve))
  }
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, seen }
}

test('step 8 shows the exact bytes of two sign-ups and marks what can be read in them', async () => {
  const { url, database } = await serve({}, features)
  const proxy = await startProxy(url)
  const page = await open(proxy.url)
  const email = await signUp(page)
  await button(page, 'Sign two people up').click()
  const section = step(page, 'What a proxy reads')
  await section.getByText(READ_ALL).waitFor()

  // The feature may have been removed from the list.
  const metadata = (await (await fetch(url + METADATA)).json()) as { sealed_bodies?: string }
  const isOffered = metadata.sealed_bodies !== undefined
  const titles = ['Plain JSON', ...(isOffered ? ['Sealed'] : [])]
  // The first sign-up is that of the visitor.
  const exchanges = proxy.seen.slice(1)
  expect(await section.getByRole('heading', { level: 3 }).allTextContents()).toEqual(titles)
  expect(exchanges).toHaveLength(titles.length)
  for (const [i, title] of titles.entries()) {
    for (const [j, part] of ['request', 'answer'].entries()) {
      const region = section.getByRole('region', { name: `${title}: the ${part}` })
      expect((await region.textContent())!.split('\n\n').at(-1)).toBe(exchanges[i]![j])
    }
  }

  const [sent, answered] = exchanges[0]!.map((body) => JSON.parse(body) as Record<string, string>)
  expect(await section.locator('mark').allTextContents()).toEqual([
    sent!['email'],
    sent!['password'],
    sent!['email'],
    answered!['database_key'],
  ])
  const sealed = exchanges.slice(1)
  expect(await section.getByText(READ_NOTHING).count()).toBe(sealed.length)
  for (const body of sealed.flat()) expect(body).toMatch(JWE)

  // The page itself seals its requests too, and opens the sealed answers.
  const shown = await ask(page)
  expect(shown.includes('It is sealed. Opened by this browser:')).toBe(isOffered)
  expect(shown).toContain(email)

  // Only the visitor's account is left, and step 8 is empty after the sign-out.
  const accounts = await database.selectFrom('accounts').select('email').execute()
  expect(accounts).toEqual([{ email }])
  await button(page, 'Sign out').click()
  await isSignedOut(page)
  expect(await page.locator('#seen').textContent()).toBe('')
})

test('step 8 says that a server does not offer sealed bodies', async () => {
  const others = features.filter(({ variables = {} }) => !('SEALED_BODIES' in variables))
  const { url } = await serve({}, others)
  const page = await open(url)
  await signUp(page)
  await button(page, 'Sign two people up').click()
  const section = step(page, 'What a proxy reads')
  await section.getByText('This server does not offer sealed bodies.').waitFor()
  expect(await section.getByText(READ_ALL).count()).toBe(1)
  expect(await section.getByRole('heading', { level: 3 }).count()).toBe(1)
})

test('step 8 counts a password as read even if the server refuses it unsealed', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  await signUp(page)
  const refusal = { error: 'sealed_body_required', error_description: 'Seal it.' }
  await page.route('**/account', (route) => route.fulfill({ status: 400, json: refusal }))
  expectRefusals('400 /account')
  await button(page, 'Sign two people up').click()
  const section = step(page, 'What a proxy reads')
  await section.getByText('The proxy has read the address and the password.').waitFor()
  expect(await section.textContent()).toContain('400 Bad Request')
})

test('step 8 reports an unreachable server, and the next try works', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  await signUp(page)
  await page.route('**/account', (route) => route.abort('connectionrefused'))
  expectUnreachable('/account')
  await button(page, 'Sign two people up').click()
  const section = step(page, 'What a proxy reads')
  await section.getByText('(network)').waitFor()
  await page.unroute('**/account')
  await button(page, 'Sign two people up').click()
  await section.getByText(READ_ALL).waitFor()
})

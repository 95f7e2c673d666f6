/** Servers that stop, start again and change their keys while a page stays open. */
import { expect, test } from '@jest/globals'
import { pruneKeys, rotateKeys } from '../../../../server/commands/keys/folder-changes.ts'
import { expectRefusals, expectUnreachable, newProfile, reload } from '../../../browser/support.ts'
import {
  ask,
  button,
  isSignedIn,
  isSignedOut,
  keepNote,
  nothingIsLeft,
  open,
  readNote,
  restartablePlayground,
  servePlayground,
  signUp,
} from './playground-page.ts'

/** How long previous keys are kept, in milliseconds. */
const KEEP = 3_600_000

test('a session survives key rotations while the page is open, and ends when its keys are pruned', async () => {
  const server = await restartablePlayground(true)
  const { folder } = server
  await server.start()
  const page = await open(server.url)
  const email = await signUp(page)
  await keepNote(page, 'older than the keys')
  // Twice: then the page knows none of the published keys.
  for (let rotation = 0; rotation < 2; rotation++) {
    await rotateKeys(folder, Date.now(), KEEP)
    await server.reloadKeys()
    expect(await ask(page)).toContain('200 OK')
    expect(await ask(page)).toContain(email)
  }
  await reload(page)
  await isSignedIn(page, email)
  expect(await readNote(page)).toBe('older than the keys')

  // The keys that signed and encrypted the tokens are gone: nobody can verify them any more.
  await pruneKeys(folder, Date.now() + KEEP + 1000)
  await server.reloadKeys()
  expectRefusals('401 /account', '400 /token')
  await ask(page)
  await isSignedOut(page)
  await nothingIsLeft(page, email, 'older than the keys')
})

test('a server that preserves sessions restarts without a visible effect', async () => {
  const server = await restartablePlayground(true)
  await server.start()
  const page = await open(server.url)
  const email = await signUp(page)
  await keepNote(page, 'still here')

  await server.restart()
  expect(await ask(page)).toContain('200 OK')
  await isSignedIn(page, email)
  await server.restart()
  await reload(page)
  await isSignedIn(page, email)
  expect(await readNote(page)).toBe('still here')
})

test('a server that does not preserve sessions signs everybody out when it restarts', async () => {
  const server = await restartablePlayground(false)
  await server.start()
  const pages = [await open(server.url), await open(server.url)] as const
  const emails = [await signUp(pages[0]), await signUp(pages[1])] as const
  for (const page of pages) await keepNote(page, 'for one run only')

  await server.restart()
  expectRefusals('401 /account', '400 /token')
  await reload(pages[0])
  await ask(pages[1])
  for (const [index, page] of pages.entries()) {
    await isSignedOut(page)
    await nothingIsLeft(page, emails[index]!, 'for one run only')
  }
  await signUp(pages[0])
  expect(await ask(pages[0])).toContain('200 OK')
})

test('an unreachable server is reported, and the session stays', async () => {
  const server = await restartablePlayground(true)
  await server.start()
  const page = await open(server.url)
  const email = await signUp(page)
  await keepNote(page, 'patience')
  await ask(page)

  await server.stop()
  expectUnreachable('/account', '/account/logout', '/account/sessions')
  expect(await ask(page)).toContain('/account cannot be reached. (network)')
  await button(page, 'Send the same request again').click()
  await page.locator('#theft .bad').waitFor()
  await button(page, 'Look again').click()
  await page.getByText('/account/sessions cannot be reached.').waitFor()
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  const problem = page.getByRole('alert')
  await problem.getByText('/account cannot be reached. (network)').waitFor()
  // The token can still be verified, and the note still be read.
  await button(page, 'Change one character').click()
  await page.getByText('and the signature no longer matches').waitFor()
  await button(page, 'Put it back').click()
  await page.getByText('The signature is valid').waitFor()
  await isSignedIn(page, email)

  await server.start()
  expect(await ask(page)).toContain('200 OK')
  await reload(page, button(problem, 'Try again'))
  await isSignedIn(page, email)
  expect(await readNote(page)).toBe('patience')
  expect(await problem.textContent()).toBe('')
})

test('a server that is unreachable while the page starts is asked again on request', async () => {
  const { url } = await servePlayground()
  const profile = await newProfile()
  const page = await open(url, profile)
  const email = await signUp(page)
  await keepNote(page, 'there it is')

  await page.route('**/account', (route) => route.abort())
  expectUnreachable('/account')
  await reload(page)
  const problem = page.getByRole('alert')
  await problem.getByText('/account cannot be reached. (network)').waitFor()
  await page.unroute('**/account')
  await reload(page, button(problem, 'Try again'))
  await isSignedIn(page, email)
  expect(await readNote(page)).toBe('there it is')

  await page.route('**/account/sessions', (route) => route.abort())
  expectUnreachable('/account/sessions')
  await reload(page)
  await problem.getByText('/account/sessions cannot be reached. (network)').waitFor()
  await page.unroute('**/account/sessions')
  await reload(page, button(problem, 'Try again'))
  await isSignedIn(page, email)

  // The error page of a proxy is not taken for an answer of the server either.
  await page.route('**/account', (route) =>
    route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad gateway</h1>' }),
  )
  expectRefusals('502 /account')
  expect(await ask(page)).not.toBe('')
  await reload(page)
  await problem.getByText('answered 502').waitFor()
  await page.unroute('**/account')
  await reload(page, button(problem, 'Try again'))
  await isSignedIn(page, email)
})

test('signing out while the server is unreachable works on this device', async () => {
  const server = await restartablePlayground(true)
  await server.start()
  const page = await open(server.url)
  const email = await signUp(page)
  await keepNote(page, 'not for the disk')
  await server.stop()
  expectUnreachable('/account/logout')
  await button(page, 'Sign out').click()
  await isSignedOut(page)
  await nothingIsLeft(page, email, 'not for the disk')
})

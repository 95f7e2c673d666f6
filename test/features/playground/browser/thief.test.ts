/** Step 7 with an opened token, on the server and on the notes service. */
import { expect, test } from '@jest/globals'
import { createNotesService } from '../../../../example/notes-service.ts'
import { createHttpServer } from '../../../../server/listener/http-server.ts'
import { createLogger } from '../../../../server/log/logger.ts'
import { expectRefusals, expectUnreachable } from '../../../browser/support.ts'
import { ask, button, isSignedOut, open, servePlayground, signUp } from './playground-page.ts'

test('step 7 shows that the server refuses the opened token without the key', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  await signUp(page)
  await ask(page)
  expect(await page.locator('#exchange').textContent()).toContain('mac proves that the sender')

  expectRefusals('401 /account')
  const stolen = page.locator('#stolen')
  await button(page, 'Use the letter with another key').click()
  await stolen.getByText('Refused. The letter names your key (cnf)').waitFor()
  const shown = await stolen.textContent()
  expect(shown).toContain('You, with the key of step 1: 200 OK.')
  expect(shown).toContain('The thief: GET /account, with your letter and another key')
  expect(shown).toContain('401 Unauthorized')
  // The session goes on.
  expect(await ask(page)).toContain('200 OK')
  await button(page, 'Sign out').click()
  await isSignedOut(page)
  expect(await stolen.textContent()).toBe('')
})

test('step 7 says that a server has no key-bound tokens', async () => {
  const { url } = await servePlayground({ keyBoundTokens: false })
  const page = await open(url)
  await signUp(page)
  const shown = await ask(page)
  expect(shown).not.toContain('mac proves')
  await button(page, 'Use the letter with another key').click()
  await page.getByText('This session’s tokens are not bound to your key').waitFor()
  expect(await page.locator('#stolen').textContent()).toContain('200 OK')
})

test('step 7 shows that the notes service refuses it too, or that it does not run', async () => {
  const { url, config } = await servePlayground()
  const notes = 'http://localhost:4000'
  const app = await createNotesService(
    {
      issuer: config.issuer,
      url: notes,
      logger: createLogger('silent'),
      fetch: (asked, init) => fetch(asked.replace(config.issuer, url), init),
    },
    [url],
  )
  const service = createHttpServer((request, response) => void app.callback()(request, response))
  const port = await service.listen(0, '127.0.0.1')
  try {
    const page = await open(url)
    await signUp(page)
    await page.route(`${notes}/**`, (route) => route.abort('connectionrefused'))
    expectUnreachable('/.well-known/jwks.json', '/notes')
    const stolen = page.locator('#stolen')
    await button(page, 'The same at the notes service').click()
    await stolen.getByText(`Nothing answers at ${notes}. Start the notes service`).waitFor()

    await page.unroute(`${notes}/**`)
    await page.route(`${notes}/**`, async (route) => {
      const answer = await route.fetch({
        url: route.request().url().replace(notes, `http://127.0.0.1:${port}`),
      })
      await route.fulfill({ response: answer })
    })
    expectRefusals('401 /notes')
    await button(page, 'The same at the notes service').click()
    await stolen.getByText('Refused. The letter names your key (cnf)').waitFor()
    const shown = await stolen.textContent()
    expect(shown).toContain('You, with the key of step 1: 200 OK.')
    expect(shown).toContain('What the notes service answered')
    expect(shown).toContain('401 Unauthorized')
  } finally {
    await service.stop(1000)
  }
})

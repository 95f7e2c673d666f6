/** The page at /docs. The support module fails a test on any console error or policy violation. */
import { mkdirSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { features } from '../../../../server/features.ts'
import { serve } from '../../../browser/servers.ts'
import { newProfile, openTab } from '../../../browser/support.ts'

const SIGN_UP = 'Creates an account and signs in to it.'
/** A folder for screenshots of the page; none are taken without it. */
const PICTURES = process.env['PICTURES']

test.each(['light', 'dark'] as const)('the page shows every route: %s', async (colorScheme) => {
  const { url } = await serve({}, features)
  const profile = await newProfile({ colorScheme, viewport: { width: 1200, height: 900 } })
  const requested: string[] = []
  profile.on('request', (request) => requested.push(request.url()))
  const page = await openTab(`${url}/docs`, SIGN_UP, profile)
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object }
  const operations = Object.values(document.paths).flatMap((item) => Object.keys(item as object))
  expect(await page.locator('.opblock').count()).toBe(operations.length)

  const picture = async (name: string) => {
    if (PICTURES === undefined) return
    mkdirSync(PICTURES, { recursive: true })
    await page.screenshot({ path: `${PICTURES}/${name}-${colorScheme}.png` })
  }
  await picture('top')
  await page.getByText(SIGN_UP).click()
  await page.getByText('database_key').first().waitFor()
  await page.getByText(SIGN_UP).scrollIntoViewIfNeeded()
  await picture('sign-up')

  expect(await page.getByRole('button', { name: 'Try it out' }).count()).toBe(0)
  await page.locator(colorScheme === 'dark' ? 'html.dark-mode' : 'html:not(.dark-mode)').waitFor()
  await page.emulateMedia({ colorScheme: colorScheme === 'light' ? 'dark' : 'light' })
  await page.locator(colorScheme === 'light' ? 'html.dark-mode' : 'html:not(.dark-mode)').waitFor()

  expect(requested.length).toBeGreaterThan(4)
  expect(
    requested.filter((address) => !address.startsWith(`${url}/`) && !address.startsWith('data:')),
  ).toEqual([])
})

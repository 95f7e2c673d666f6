/** The page itself: its policy, its accessibility, and the screens that it fits. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect, test } from '@jest/globals'
import type { Page } from 'playwright-core'
import { features } from '../../../../server/features.ts'
import { TestClient } from '../../../support/client.ts'
import { serve } from '../../../browser/servers.ts'
import { expectRefusals, newProfile } from '../../../browser/support.ts'
import { ask, button, keepNote, open, servePlayground, signUp } from './playground-page.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface AxeResults {
  readonly passes: unknown[]
  readonly violations: {
    readonly id: string
    readonly impact: string
    readonly nodes: { readonly html: string; readonly failureSummary: string }[]
  }[]
}

/** Serious and critical violations that axe-core finds. */
async function flaws(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  const { passes, violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  )
  expect(passes.length).toBeGreaterThan(10)
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
    )
}

/** Signs in and fills every part of the page. */
async function fillPage(page: Page): Promise<void> {
  await signUp(page)
  await ask(page)
  expectRefusals('401 /account')
  await button(page, 'Send the same request again').click()
  await page.getByText('Refused. The server has seen the envelope').waitFor()
  await button(page, 'Use the letter with another key').click()
  await page.getByText('Refused. The letter names your key').waitFor()
  await button(page, 'Change one character').click()
  await page.getByText('Refused: one character').waitFor()
  await button(page, 'Sign two people up').click()
  await page.locator('#seen .soft').waitFor()
  await keepNote(page, 'A note')
  await button(page, 'Try to read the private key').click()
  await page.getByText('Refused by the browser').waitFor()
}

test.each(['light', 'dark'] as const)('axe-core finds no serious flaw: %s', async (colorScheme) => {
  const { url } = await serve({}, features)
  const page = await open(url, await newProfile({ colorScheme, reducedMotion: 'reduce' }))
  expect(await flaws(page)).toEqual([])
  await button(page, 'Make somebody up').click()
  expect(await flaws(page)).toEqual([])
  await fillPage(page)
  expect(await flaws(page)).toEqual([])
})

test.each([320, 390])('a phone %d pixels wide needs no horizontal scrolling', async (width) => {
  const { url } = await serve({}, features)
  const viewport = { width, height: 700 }
  const page = await open(url, await newProfile({ viewport, hasTouch: true, isMobile: true }))
  const overflow = () =>
    page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  expect(await page.evaluate(() => innerWidth)).toBe(width)
  expect(await overflow()).toBe(0)
  await fillPage(page)
  expect(await page.evaluate(() => innerWidth)).toBe(width)
  expect(await overflow()).toBe(0)
})

test('nothing inline runs, and nothing is loaded from elsewhere', async () => {
  const { url } = await servePlayground()
  const profile = await newProfile()
  const hosts = new Set<string>()
  profile.on('request', (request) => hosts.add(new URL(request.url()).origin))
  const page = await open(url, profile)
  await fillPage(page)
  expect([...hosts]).toEqual([url])

  const policy = (await fetch(url)).headers.get('content-security-policy')!
  expect(policy).not.toMatch(/unsafe|\*/)
  expect(policy.match(/https?:[^;]*/g)).toEqual(['http://localhost:4000'])
  expect(await page.locator('[style], style, script:not([src])').count()).toBe(0)
  const handlers = await page.evaluate(
    () =>
      [...document.querySelectorAll('*')].filter((node) =>
        [...node.attributes].some(({ name }) => name.startsWith('on')),
      ).length,
  )
  expect(handlers).toBe(0)
})

test('a client name that looks like markup stays text', async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  const email = await signUp(page)
  const name = '<img src="x" onerror="alert(1)">'
  const other = await TestClient.create(url)
  const registration = { client_name: name, jwks: { keys: [other.publicJwk] } }
  other.id = (await other.send('POST', '/clients', registration)).body.client_id
  await other.login(email)
  await button(page, 'Look again').click()
  await page.getByText(name).waitFor()
  expect(await page.locator('#session-list img').count()).toBe(0)
})

/** Sealed bodies with a browser engine's own Web Crypto. */
import { expect, test } from '@jest/globals'
import { createSealedBodies } from '../../../../../server/features/sealed-bodies/index.ts'
import { clientPage } from '../../../../browser/client-page.ts'
import { keep, openApp, readNote, reopen, signUp, whoIs } from '../../../../browser/engines/apps.ts'
import { watchRequests } from '../../../../browser/engines/watch-requests.ts'
import { serve } from '../../../../browser/servers.ts'

const JOSE = 'application/jose'

export function testSealedBodies(): void {
  test('sign-up, reading and renaming are sealed in both directions', async () => {
    const { feature, seen } = watchRequests()
    const { url } = await serve({}, [clientPage, createSealedBodies(), feature])
    const tab = await openApp(url)
    const email = await signUp(tab)
    await keep(tab, 'sealed as well')
    await reopen(tab)
    expect(await whoIs(tab)).toBe(email)
    expect(await readNote(tab)).toBe('sealed as well')
    await tab.evaluate(() => auth.account.rename('Ada'))

    const typesOf = (wanted: string) =>
      seen.filter(({ line }) => line === wanted).map(({ types }) => types)
    expect(typesOf('POST /account')).toEqual([[JOSE, JOSE]])
    expect(typesOf('PATCH /account')).toEqual([[JOSE, JOSE]])
    const read = typesOf('GET /account')
    expect(read.length).toBeGreaterThanOrEqual(2)
    for (const types of read) expect(types).toEqual(['', JOSE])
  })
}

/** What people do with an app, in any browser engine. */
import { expect, test } from '@jest/globals'
import { AuthClient, memoryStore } from '../../../client/index.ts'
import { rotateKeys } from '../../../server/commands/keys/folder-changes.ts'
import { GOOD_PASSWORD } from '../../support/client.ts'
import { clientPage } from '../client-page.ts'
import { databases, nothingIsLeft } from '../databases.ts'
import { restartable, serve, until } from '../servers.ts'
import { keep, openApp, readNote, reopen, signUp, whoIs } from './apps.ts'
import type { Tab } from './engine.ts'
import { watchRequests } from './watch-requests.ts'

/** Seconds. Long enough for a slow machine to use a token that it has just received. */
const SHORT = 6

export function testMainPath(): void {
  test('a reload needs no password, and the disk holds nothing readable', async () => {
    const { url } = await serve()
    const tab = await openApp(url)
    const email = await signUp(tab)
    await keep(tab, 'Tea at four')
    const text = (await databases(tab)).map((database) => database.text).join('\n')
    for (const secret of ['Tea at', email, GOOD_PASSWORD]) expect(text).not.toContain(secret)
    expect(text).toContain('"type":"private","extractable":false')

    await reopen(tab)
    expect(await whoIs(tab)).toBe(email)
    expect(await readNote(tab)).toBe('Tea at four')
    expect(await tab.evaluate(() => auth.signOut())).toBe(true)
    await nothingIsLeft(tab, email)
    await reopen(tab)
    expect(await whoIs(tab)).toBe('not_signed_in')
  })

  test('two tabs renew an expired token once, and signing out of one signs out of the other', async () => {
    const { feature, seen } = watchRequests()
    const { url } = await serve({ accessTokenTtl: SHORT }, [clientPage, feature])
    const tab = await openApp(url)
    const email = await signUp(tab)
    const other = await openApp(url)
    const both = [tab, other]
    expect(await whoIs(other)).toBe(email)
    const before = seen.length
    // In both, because one may have renewed it already.
    const expired = (each: Tab) =>
      each.evaluate(async () => {
        const left = auth.session!.expiresAt - Date.now()
        await new Promise((resolve) => setTimeout(resolve, left + 100))
      })
    await Promise.all(both.map(expired))
    const five = (each: Tab) =>
      each.evaluate(async () => {
        const asked = Array.from({ length: 5 }, () => auth.fetch('/account'))
        return (await Promise.all(asked)).map(({ status }) => status)
      })
    expect((await Promise.all(both.map(five))).flat()).toEqual(Array(10).fill(200))
    const renewals = seen.slice(before).filter(({ line }) => line === 'POST /token')
    expect(renewals).toHaveLength(1)

    await tab.evaluate(() => auth.signOut())
    await until(() => other.evaluate(() => auth.session === undefined))
    await nothingIsLeft(other, email)
  })

  test('every token is bound to a key that cannot be exported, also while the server rotates its keys', async () => {
    const { feature, seen } = watchRequests()
    const server = await restartable(true, [clientPage, feature])
    await server.start()
    const tab = await openApp(server.url)
    const email = await signUp(tab)
    expect(await whoIs(tab)).toBe(email)
    for (let rotation = 0; rotation < 2; rotation++) {
      await rotateKeys(server.folder, Date.now(), 3_600_000)
      await server.reloadKeys()
      // As if five minutes had passed since the page fetched the server's metadata.
      await tab.evaluate(async () => (await client.browserStore()).write('server', undefined))
      await reopen(tab)
      expect(await whoIs(tab)).toBe(email)
    }
    const claims = await tab.evaluate(() => auth.session!.claims)
    expect(claims.cnf).toMatchObject({ jwk: { kty: 'EC', crv: 'P-256' } })
    const exports = await tab.evaluate(async () => {
      const { privateKey } = (await (await client.browserStore()).loadKey())!
      const tries = (['jwk', 'pkcs8', 'raw'] as const).map((format) =>
        crypto.subtle.exportKey(format, privateKey),
      )
      return (await Promise.allSettled<unknown>(tries)).map(({ status }) => status)
    })
    expect(exports).toEqual(Array(3).fill('rejected'))

    expect(await tab.evaluate(() => auth.signOut())).toBe(true)
    const tokens = seen.flatMap(({ header }) => (header === undefined ? [] : [header]))
    expect(tokens.length).toBeGreaterThanOrEqual(5)
    const proofs = tokens.map(({ req }) => (req as { mac: unknown }).mac)
    expect(proofs.filter((mac) => !/^[\w-]{43}$/.test(String(mac)))).toEqual([])
    // Each rotation's key was used.
    expect(new Set(tokens.map(({ kid }) => kid)).size).toBe(3)
  })

  test('a session that is ended on another device leaves nothing, not on the disk either', async () => {
    const { url, config } = await serve()
    const tab = await openApp(url)
    const email = await signUp(tab)
    await keep(tab, 'not for a thief')
    const phone = new AuthClient({ server: url, issuer: config.issuer, store: memoryStore() })
    await phone.signIn({ email, password: GOOD_PASSWORD })
    await phone.account.changePassword(GOOD_PASSWORD, 'another brick in the wall')
    expect(await whoIs(tab)).toBe('session_ended')
    await nothingIsLeft(tab, email, 'not for a thief')
    await reopen(tab)
    expect(await whoIs(tab)).toBe('not_signed_in')
  })
}

/** The server has lost the key to a session's local data: the session goes on without it. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { fileStore } from '../../../client/stores/file-store.ts'
import {
  clientOf,
  codeOf,
  errorOf,
  jsonResponse,
  rotatingKeystore,
  scratchFolder,
  signedUp,
  startServer,
  storedSession,
} from '../../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'
import type { TestServer } from '../../support/server.ts'

const ACCOUNT = 'GET /account'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())

/** Somebody with a draft in the vault, whose program has just been restarted. */
async function restarted() {
  const folder = await scratchFolder()
  const open = () => fileStore({ folder, passphrase: 'p', scryptCost: CHEAP_SCRYPT })
  const { client, email } = await signedUp(server, { store: open() })
  await (await client.vault()).set('draft', 'kept')
  const sessionId = client.session!.sessionId
  const onDisk = () => readdir(join(folder, `vault-${sessionId}`))
  return { ...clientOf(server, { store: open() }), open, email, sessionId, onDisk }
}

describe('while the server has no key', () => {
  test('the session continues with an empty vault in memory', async () => {
    const { client, wire, store, sessionId, onDisk } = await restarted()
    const before = await onDisk()
    wire.change(ACCOUNT, { database_key: null })
    expect((await client.resume())?.sessionId).toBe(sessionId)
    expect((await client.account.read()).database_key).toBeNull()

    const vault = await client.vault()
    expect(vault.warning).toMatch(/^The server has lost the key .*\.$/)
    expect([await vault.names(), await vault.get('draft')]).toEqual([[], undefined])
    await vault.set('draft', 'fresh')
    const again = await client.vault()
    expect([await again.names(), await again.get('draft')]).toEqual([['draft'], 'fresh'])

    await client.refresh()
    expect(await (await client.vault()).get('draft')).toBe('fresh')
    expect((await storedSession(store))!['session_id']).toBe(sessionId)
    expect(await onDisk()).toEqual(before)
  })

  test('stored data comes back with the key', async () => {
    const { client, wire, open } = await restarted()
    wire.change(ACCOUNT, { database_key: null })
    await client.resume()
    await (await client.vault()).set('draft', 'in memory')
    wire.change(ACCOUNT, undefined)
    for (const page of [client, clientOf(server, { store: open() }).client]) {
      await page.resume()
      const vault = await page.vault()
      expect([vault.warning, await vault.get('draft')]).toEqual([undefined, 'kept'])
    }
  })

  test.each<[string, (party: Awaited<ReturnType<typeof restarted>>) => Promise<unknown>]>([
    ['signing out', ({ client }) => client.signOut()],
    ['signing in again', ({ client, email }) => client.signIn({ email, password: GOOD_PASSWORD })],
    [
      'a sign-up of somebody else',
      ({ client }) => client.signUp({ email: someEmail(), password: GOOD_PASSWORD }),
    ],
  ])('%s removes both vaults', async (_name, leave) => {
    const party = await restarted()
    const { client, wire } = party
    wire.change(ACCOUNT, { database_key: null })
    const vault = await client.vault()
    await vault.set('draft', 'fresh')
    wire.change(ACCOUNT, undefined)
    await leave(party)
    expect(await codeOf(vault.set('draft', 'late'))).toBe('session_ended')
    expect(await vault.get('draft')).toBeUndefined()
    await expect(party.onDisk()).rejects.toMatchObject({ code: 'ENOENT' })
    if (client.session === undefined) return
    const fresh = await client.vault()
    expect([fresh.warning, await fresh.names()]).toEqual([undefined, []])
  })

  test('two sessions without a key do not share a vault', async () => {
    const { client, wire } = await restarted()
    wire.change(ACCOUNT, { database_key: null })
    await (await client.vault()).set('draft', 'of the first')
    await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    await client.resume()
    const vault = await client.vault()
    expect(vault.warning).toBeDefined()
    expect(await vault.names()).toEqual([])
  })
})

test('a key that is temporarily unavailable ends nothing, and the vault opens later', async () => {
  const { client, wire, store, onDisk } = await restarted()
  const unavailable = { error: 'temporarily_unavailable', error_description: 'Later.' }
  wire.on(ACCOUNT, () => Promise.resolve(jsonResponse(unavailable, 503, { 'retry-after': '5' })))
  expect(await errorOf(client.resume())).toMatchObject({
    code: 'temporarily_unavailable',
    retryAfter: 5,
  })
  expect(await codeOf(client.vault())).toBe('temporarily_unavailable')
  expect(await storedSession(store)).toBeDefined()
  expect(await onDisk()).toHaveLength(1)
  wire.on(ACCOUNT, undefined)
  expect(await (await client.vault()).get('draft')).toBe('kept')
})

test('a session whose key was pruned on a real server continues with an empty vault', async () => {
  const keys = await rotatingKeystore()
  const pruned = await startServer({}, { keystore: keys.keystore })
  try {
    const { client, store } = await signedUp(pruned)
    await (await client.vault()).set('draft', 'kept')
    const stored = await pruned.database
      .selectFrom('sessions')
      .select('database_key')
      .executeTakeFirstOrThrow()
    await keys.rotate()
    const { sessionId } = await client.refresh()
    // As if the server had failed to re-encrypt the stored key when it renewed the session.
    await pruned.database.updateTable('sessions').set(stored).execute()
    keys.prune()
    const page = clientOf(pruned, { store }).client
    expect((await page.resume())?.sessionId).toBe(sessionId)
    const vault = await page.vault()
    expect([vault.warning === undefined, await vault.names()]).toEqual([false, []])
    await page.refresh()
    expect((await page.resume())?.sessionId).toBe(sessionId)
  } finally {
    await pruned.stop()
  }
})

import { createHmac, hkdfSync } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { ClientStore, VaultStorage } from '../../../client/stores/client-store.ts'
import { fileStore } from '../../../client/stores/file-store.ts'
import { memoryStore } from '../../../client/stores/memory-store.ts'
import { openVault, type Vault } from '../../../client/vault/vault.ts'
import {
  clientOf,
  codeOf,
  scratchFolder,
  signedUp,
  startServer,
} from '../../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import type { TestServer } from '../../support/server.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'

const KEY = Buffer.alloc(32, 7).toString('base64url')
const OTHER_KEY = Buffer.alloc(32, 8).toString('base64url')
const SESSION = 'session-1'

describe.each([
  ['memory', () => Promise.resolve(memoryStore())],
  [
    'a folder',
    async () =>
      fileStore({ folder: await scratchFolder(), passphrase: 'p', scryptCost: CHEAP_SCRYPT }),
  ],
] as const)('a vault in %s', (_name, makeStore) => {
  let store: ClientStore
  let storage: VaultStorage
  let vault: Vault
  beforeEach(async () => {
    store = await makeStore()
    storage = store.vault(SESSION)
    vault = await openVault(storage, KEY, SESSION)
  })
  const idOf = async (name: string) => {
    const before = new Set(await storage.ids())
    await vault.set(name, null)
    return (await storage.ids()).find((id) => !before.has(id))!
  }

  test.each<[string, unknown]>([
    ['an object', { a: [1, { b: null }], 'Zoë \u{1f511}': true }],
    ['text', 'text'],
    ['empty text', ''],
    ['a number', 0.1],
    ['false', false],
    ['null', null],
    ['a long text', 'x'.repeat(300_000)],
  ])('returns %s', async (name, value) => {
    await vault.set(name, value)
    expect(await vault.get(name)).toEqual(value)
    expect(await (await openVault(storage, KEY, SESSION)).get(name)).toEqual(value)
  })

  test('lists its names, and forgets what is deleted', async () => {
    expect(await vault.names()).toEqual([])
    expect(await vault.get('a')).toBeUndefined()
    const names = ['a', 'A', '', '../a', 'a b', '\u{1f511}', '__proto__']
    for (const name of names) await vault.set(name, name)
    expect((await vault.names()).sort()).toEqual([...names].sort())
    for (const name of names) expect(await vault.get(name)).toBe(name)
    await vault.set('a', 'again')
    expect(await vault.get('a')).toBe('again')
    expect(await vault.names()).toHaveLength(names.length)
    await vault.delete('a')
    await vault.delete('never there')
    expect(await vault.get('a')).toBeUndefined()
    expect((await vault.names()).sort()).toEqual(names.slice(1).sort())
  })

  test('takes only strings as names', async () => {
    for (const name of [5, undefined, null, {}] as unknown as string[]) {
      await expect(vault.set(name, 1)).rejects.toThrow(TypeError)
      await expect(vault.get(name)).rejects.toThrow(TypeError)
      await expect(vault.delete(name)).rejects.toThrow(TypeError)
    }
    expect(await vault.names()).toEqual([])
  })

  test('opens only with its own key and in its own session', async () => {
    await vault.set('name', 'value')
    const [id] = await storage.ids()
    const bytes = (await storage.get(id!))!
    for (const [key, session] of [
      [OTHER_KEY, SESSION],
      [KEY, 'session-2'],
    ] as const) {
      const other = await openVault(storage, key, session)
      // The name cannot even be found.
      expect(await other.get('name')).toBeUndefined()
      expect(await codeOf(other.names())).toBe('vault_damaged')
      // The record does not open under the other vault's id either.
      await other.set('name', 'mine')
      const own = (await storage.ids()).find((found) => found !== id)!
      await storage.put(own, bytes)
      expect(await codeOf(other.get('name'))).toBe('vault_damaged')
      await storage.delete(own)
    }
    expect(await vault.get('name')).toBe('value')
  })

  test('refuses a record under the name of another', async () => {
    await vault.set('mine', 'mine')
    const other = await idOf('yours')
    await vault.set('yours', 'yours')
    const [mine] = (await storage.ids()).filter((id) => id !== other)
    const [a, b] = [(await storage.get(mine!))!, (await storage.get(other))!]
    await storage.put(mine!, b)
    await storage.put(other, a)
    expect(await codeOf(vault.get('mine'))).toBe('vault_damaged')
    expect(await codeOf(vault.get('yours'))).toBe('vault_damaged')
    expect(await codeOf(vault.names())).toBe('vault_damaged')
  })

  test('refuses a record with any flipped, missing or added byte', async () => {
    await vault.set('name', 'value')
    const [id] = await storage.ids()
    const bytes = (await storage.get(id!))!
    const damages = [
      ...Array.from(bytes.keys()).map((index) => {
        const flipped = bytes.slice()
        flipped[index]! ^= 1 << (index % 8)
        return flipped
      }),
      ...[0, 1, 11, 12, 27, 28, bytes.length - 1].map((length) => bytes.slice(0, length)),
      new Uint8Array([...bytes, 0]),
      bytes.slice(1),
    ]
    for (const damaged of damages) {
      await storage.put(id!, damaged)
      expect(await codeOf(vault.get('name'))).toBe('vault_damaged')
    }
    await storage.put(id!, bytes)
    expect(await vault.get('name')).toBe('value')
  })

  test('never produces the same IV or ciphertext twice', async () => {
    const id = await idOf('name')
    const seen = new Set<string>()
    for (let round = 0; round < 20; round++) {
      await vault.set('name', null)
      const bytes = Buffer.from((await storage.get(id))!)
      seen.add(bytes.subarray(0, 12).toString('hex')).add(bytes.subarray(12).toString('hex'))
    }
    expect(seen.size).toBe(40)
  })

  test('shows neither names nor values', async () => {
    const [name, value] = ['a name that nobody reads', 'a value that nobody reads']
    await vault.set(name, { value })
    const [id] = await storage.ids()
    expect(id).toMatch(/^[\w-]{43}$/)
    const bytes = Buffer.from((await storage.get(id!))!)
    for (const text of [name, value, KEY, SESSION]) {
      for (const encoding of ['utf8', 'base64', 'base64url', 'hex'] as const) {
        const form = Buffer.from(text).toString(encoding).slice(0, 16)
        expect(bytes.toString('latin1')).not.toContain(form)
      }
    }
    expect(bytes.length).toBe(12 + JSON.stringify({ name, value: { value } }).length + 16)
  })

  test('returns any JSON value', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.jsonValue(), async (name, value) => {
        await vault.set(name, value)
        expect(await vault.get(name)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
      { numRuns: 50 },
    )
  })
})

test('ids are an HMAC of the name, under a key derived from the database key', async () => {
  const storage = memoryStore().vault(SESSION)
  const vault = await openVault(storage, KEY, SESSION)
  await vault.set('name', 1)
  const key = hkdfSync('sha256', Buffer.alloc(32, 7), SESSION, 'vault names', 32)
  const id = createHmac('sha256', Buffer.from(key)).update('name').digest('base64url')
  expect(await storage.ids()).toEqual([id])
})

test('a record that vanishes while the names are read is left out', async () => {
  const storage = memoryStore().vault(SESSION)
  const vault = await openVault(storage, KEY, SESSION)
  await vault.set('name', 1)
  const stale = { ...storage, ids: () => Promise.resolve(['gone']) }
  expect(await (await openVault(stale, KEY, SESSION)).names()).toEqual([])
})

test('a plaintext that is not a record is refused, even if it is correctly encrypted', async () => {
  const storage = memoryStore().vault(SESSION)
  const vault = await openVault(storage, KEY, SESSION)
  await vault.set('name', 1)
  const [id] = await storage.ids()
  const raw = Buffer.from(hkdfSync('sha256', Buffer.alloc(32, 7), SESSION, 'vault content', 32))
  const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt'])
  const encoder = new TextEncoder()
  for (const text of ['[]', '{}', '{"name":1}', 'null', 'text']) {
    const iv = new Uint8Array(12)
    const algorithm = { name: 'AES-GCM', iv, additionalData: encoder.encode(id) }
    const ciphertext = await crypto.subtle.encrypt(algorithm, key, encoder.encode(text))
    await storage.put(id!, new Uint8Array([...iv, ...new Uint8Array(ciphertext)]))
    expect(await codeOf(vault.get('name'))).toBe('vault_damaged')
  }
})

describe('the vault of a session', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.stop())

  async function inFolder() {
    const folder = await scratchFolder()
    const open = () => fileStore({ folder, passphrase: 'p', scryptCost: CHEAP_SCRYPT })
    const party = await signedUp(server, { store: open() })
    return { ...party, folder, open, vault: await party.client.vault() }
  }
  const vaultsIn = async (folder: string) =>
    (await readdir(folder)).filter((name) => name.startsWith('vault-'))

  test('lasts as long as the session, across renewals and restarts', async () => {
    const { client, vault, open } = await inFolder()
    await vault.set('draft', 'text')
    server.clock.advance(server.config.accessTokenTtl)
    await client.fetch('/account')
    expect(await (await client.vault()).get('draft')).toBe('text')
    const restarted = clientOf(server, { store: open() }).client
    await restarted.resume()
    expect(await (await restarted.vault()).get('draft')).toBe('text')
  })

  test('has nothing readable in its folder', async () => {
    const { vault, folder, client, email } = await inFolder()
    const name = 'the name of a secret'
    await vault.set(name, { value: 'the value of a secret' })
    const { database_key } = await client.account.read()
    const { jws } = await client.accessToken()
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile(),
    )
    expect(files.length).toBeGreaterThanOrEqual(4)
    for (const { parentPath, name: file } of files) {
      const text = `${file} ${await readFile(join(parentPath, file), 'latin1')}`
      for (const secret of [name, 'of a secret', database_key, jws, GOOD_PASSWORD, email]) {
        expect(text).not.toContain(secret)
      }
    }
  })

  test('is removed with the session, and a late write does not bring it back', async () => {
    const { client, vault, folder } = await inFolder()
    await vault.set('draft', 'text')
    expect(await vaultsIn(folder)).toHaveLength(1)
    await client.signOut()
    expect(await vaultsIn(folder)).toEqual([])
    expect(await codeOf(vault.set('draft', 'late'))).toBe('session_ended')
    expect(await vaultsIn(folder)).toEqual([])
  })

  test('is removed when another session replaces it, or if no session is found at start', async () => {
    const { client, vault, folder, email, open, store } = await inFolder()
    await vault.set('draft', 'text')
    await client.signIn({ email, password: GOOD_PASSWORD })
    expect(await vaultsIn(folder)).toEqual([])
    expect(await (await client.vault()).get('draft')).toBeUndefined()
    await (await client.vault()).set('draft', 'text')
    await store.write('session', undefined)
    expect(await clientOf(server, { store: open() }).client.resume()).toBeUndefined()
    expect(await vaultsIn(folder)).toEqual([])
  })

  test.each(['memory', 'a folder'])('in %s refuses writes of the previous person', async (kind) => {
    const folder = await scratchFolder()
    const store =
      kind === 'memory'
        ? memoryStore()
        : fileStore({ folder, passphrase: 'p', scryptCost: CHEAP_SCRYPT })
    const { client } = await signedUp(server, { store })
    const ofA = await client.vault()
    await ofA.set('draft', 'of A')
    const { sessionId } = await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    expect(await codeOf(ofA.set('draft', 'late'))).toBe('session_ended')
    const ofB = await client.vault()
    expect(await ofB.names()).toEqual([])
    await ofB.set('draft', 'of B')
    expect(await codeOf(ofA.set('draft', 'late'))).toBe('session_ended')
    expect(await ofA.get('draft')).toBeUndefined()
    expect(await ofB.get('draft')).toBe('of B')
    expect(await store.vault(sessionId).ids()).toHaveLength(1)
    await client.signOut()
    for (const vault of [ofA, ofB]) {
      expect(await codeOf(vault.set('draft', 'late'))).toBe('session_ended')
    }
    expect(await vaultsIn(folder)).toEqual([])
  })

  test('is not opened if somebody else signs in meanwhile', async () => {
    const { store } = await signedUp(server)
    // The vault's key has to be fetched first.
    const { client, wire } = clientOf(server, { store })
    let session: string | undefined
    wire.on('GET /account', async (request, send) => {
      wire.on('GET /account', undefined)
      const response = await send(request)
      const person = { email: someEmail(), password: GOOD_PASSWORD }
      session = (await client.signUp(person)).sessionId
      return response
    })
    expect(await codeOf(client.vault())).toBe('session_ended')
    expect(client.session?.sessionId).toBe(session)
    const ofB = await client.vault()
    await ofB.set('draft', 'of B')
    expect(await ofB.get('draft')).toBe('of B')
  })

  test('is empty for the next person', async () => {
    const { client, vault } = await inFolder()
    await vault.set('draft', 'text')
    await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    expect(await (await client.vault()).names()).toEqual([])
  })
})

test('a key that is not base64url opens no vault', async () => {
  const opening = openVault(memoryStore().vault(SESSION), `${KEY}=`, SESSION)
  await expect(opening).rejects.toBeInstanceOf(TypeError)
})

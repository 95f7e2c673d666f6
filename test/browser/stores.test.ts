/** The client's stores in a real browser: several tabs, and databases that are deleted or blocked. */
import { expect, test } from '@jest/globals'
import type { Page } from 'playwright-core'
import type { AuthClient, AuthError, Vault } from '../../client/index.ts'
import type { ClientStore } from '../../client/stores/client-store.ts'
import type { KeyType } from '../../protocol/algorithms.ts'
import { someEmail } from '../support/client.ts'
import { databases } from './databases.ts'
import { serve, until } from './servers.ts'
import { newProfile, openWithClient, PASSWORD } from './support.ts'

declare global {
  // Shared between calls of `page.evaluate`.
  var store: ClientStore
  var held: IDBDatabase
  var heard: number[]
  var auth: AuthClient
  var vault: Vault
}

test('the private key cannot be exported, and neither can its copy in IndexedDB', async () => {
  const { url } = await serve()
  const page = await openWithClient(url)
  await page.evaluate(async () => {
    const store = await client.browserStore()
    await store.makeKey({ kty: 'EC', crv: 'P-256' })
  })
  const outcomes = await page.evaluate(async () => {
    const { privateKey } = (await (await client.browserStore()).loadKey())!
    const algorithm = { name: 'AES-GCM', length: 256 }
    const wrapping = await crypto.subtle.generateKey(algorithm, true, ['wrapKey'])
    const iv = new Uint8Array(12)
    const formats = ['jwk', 'pkcs8', 'raw'] as const
    const tries = [
      ...formats.map((format) => crypto.subtle.exportKey(format, privateKey)),
      ...formats.map((format) =>
        crypto.subtle.wrapKey(format, privateKey, wrapping, { name: 'AES-GCM', iv }),
      ),
    ]
    return (await Promise.allSettled<unknown>(tries)).map(({ status }) => status)
  })
  expect(outcomes).toEqual(Array(6).fill('rejected'))
  const text = (await databases(page))[0]!.text
  expect(text).toContain('"privateKey":{"type":"private","extractable":false')
  expect(text).not.toContain('"d":')
})

test('a store whose database was cleared opens it again', async () => {
  const { url } = await serve()
  const page = await openWithClient(url)
  await page.evaluate(async () => {
    const store = await client.browserStore('cleared')
    await store.write('something', { here: true })
    globalThis.store = store
  })
  const browser = await page.context().newCDPSession(page)
  await browser.send('Storage.clearDataForOrigin', { origin: url, storageTypes: 'indexeddb' })
  await until(() =>
    page.evaluate(async () => {
      // Writes may fail until the browser has told the page that the connection is closed.
      const outcome = await store.read('something').then(
        (value) => (value === undefined ? 'empty' : 'full'),
        () => 'failed',
      )
      return outcome === 'empty'
    }),
  )
  expect(
    await page.evaluate(async () => {
      await store.write('something', { here: 'again' })
      return store.read('something')
    }),
  ).toEqual({ here: 'again' })
})

test('a vault that another tab has removed does not come back', async () => {
  const { url } = await serve()
  const profile = await newProfile()
  const [page, other] = [await openWithClient(url, profile), await openWithClient(url, profile)]
  await page.evaluate(async () => {
    globalThis.store = await client.browserStore('shared')
    await store.vault('one').put('id', new Uint8Array([1, 2, 3]))
    await store.vault('two').put('id', new Uint8Array([4]))
  })
  await other.evaluate(async () => {
    await (await client.browserStore('shared')).removeVaults('two')
  })
  const { outcomes, ids } = await page.evaluate(async () => {
    const vault = store.vault('one')
    const tries = [vault.get('id'), vault.put('id', new Uint8Array(1)), vault.delete('id')]
    const outcomes = await Promise.all(
      tries.map((work) =>
        work.then(
          () => 'kept',
          (error: unknown) => (error as AuthError).code,
        ),
      ),
    )
    return { outcomes, ids: await store.vault('two').ids() }
  })
  expect(outcomes).toEqual(['session_ended', 'session_ended', 'session_ended'])
  expect(ids).toEqual(['id'])
  const names = (await databases(page)).map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['shared', 'shared vault two']))
  expect(names).not.toContain('shared vault one')
})

test('a vault does not come back by a write after the sign-out, in any tab', async () => {
  const { url } = await serve()
  const profile = await newProfile()
  const [page, other] = [await openWithClient(url, profile), await openWithClient(url, profile)]
  /** Signs up, or without an address resumes, and opens the vault. */
  const begin = async ([email, password]: readonly [string, string]) => {
    const store = await client.browserStore('late')
    const options = { server: location.origin, issuer: 'http://localhost:3000', store }
    globalThis.auth = new client.AuthClient(options)
    await (email === '' ? auth.resume() : auth.signUp({ email, password }))
    globalThis.vault = await auth.vault()
  }
  await page.evaluate(begin, [someEmail(), PASSWORD] as const)
  await page.evaluate(() => vault.set('draft', 'text'))
  await other.evaluate(begin, ['', ''] as const)
  const write = (tab: Page) =>
    tab.evaluate(() =>
      vault.set('draft', 'late').then(
        () => 'kept',
        (error: unknown) => (error as AuthError).code,
      ),
    )
  const names = async () => (await databases(page)).map(({ name }) => name)
  expect((await names()).filter((name) => name.startsWith('late vault'))).toHaveLength(1)
  expect(await page.evaluate(() => auth.signOut())).toBe(true)
  expect(await write(page)).toBe('session_ended')
  // The other tab has not opened the vault yet, and may write until it hears of the sign-out.
  await until(async () => (await write(other)) === 'session_ended')
  expect(await other.evaluate(() => auth.session === undefined)).toBe(true)
  expect(await write(page)).toBe('session_ended')
  expect((await names()).filter((name) => name.startsWith('late vault'))).toEqual([])
})

test('a store that another tab has deleted is created again, without a reload', async () => {
  const { url } = await serve()
  const profile = await newProfile()
  const [page, other] = [await openWithClient(url, profile), await openWithClient(url, profile)]
  await page.evaluate(
    async ([issuer, email, password]) => {
      const store = await client.browserStore('deleted')
      globalThis.auth = new client.AuthClient({ server: location.origin, issuer: issuer!, store })
      await auth.signUp({ email: email!, password: password! })
    },
    ['http://localhost:3000', someEmail(), PASSWORD],
  )
  await other.evaluate(
    () =>
      new Promise<void>((resolve, reject) => {
        const removing = indexedDB.deleteDatabase('deleted')
        removing.onsuccess = () => {
          resolve()
        }
        removing.onerror = removing.onblocked = () => {
          reject(new Error('It is in use.'))
        }
      }),
  )
  const outcome = await page.evaluate(
    async ([email, password]) => {
      const refused = await auth.refresh().then(
        () => 'renewed',
        (error: unknown) => (error as AuthError).code,
      )
      const { account } = await auth.signUp({ email, password })
      const { status } = await auth.fetch('/account')
      const vault = await auth.vault()
      await vault.set('draft', 'text')
      return { refused, email: account?.email, status, draft: await vault.get('draft') }
    },
    ['next@mail.test', PASSWORD] as const,
  )
  expect(outcome).toEqual({
    refused: 'session_ended',
    email: 'next@mail.test',
    status: 200,
    draft: 'text',
  })
})

test('a vault is removed even if a sleeping page still has it open', async () => {
  const { url } = await serve()
  const profile = await newProfile()
  const [page, other] = [await openWithClient(url, profile), await openWithClient(url, profile)]
  await page.evaluate(async () => {
    const store = await client.browserStore('sleepy')
    await store.vault('one').put('id', new Uint8Array([1]))
    await store.vault('one').delete('id')
    globalThis.store = store
  })
  // It never closes its connection, like a frozen page.
  await other.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const opening = indexedDB.open('sleepy vault one')
        opening.onsuccess = () => {
          globalThis.held = opening.result
          resolve()
        }
      }),
  )
  await page.evaluate(() => store.removeVaults())
  await other.evaluate(() => {
    held.close()
  })
  await until(async () => !(await databases(page)).some(({ name }) => name.includes('one')))
})

test('concurrent pages make one key, and another one beside it for another type', async () => {
  const { url } = await serve()
  const profile = await newProfile()
  const pages = [await openWithClient(url, profile), await openWithClient(url, profile)]
  const make = () =>
    Promise.all(
      pages.map((page) =>
        page.evaluate(async () => {
          const store = await client.browserStore('keys')
          const type = { kty: 'EC', crv: 'P-256' } as KeyType
          const keys = await Promise.all([store.makeKey(type), store.makeKey(type)])
          return keys.map(({ id }) => id)
        }),
      ),
    )
  const ids = new Set((await make()).flat())
  expect(ids.size).toBe(1)
  const other = await pages[0]!.evaluate(async () => {
    const store = await client.browserStore('keys')
    const type = { kty: 'OKP', crv: 'X25519' } as KeyType
    const { id } = await store.makeKey(type)
    const inUse = async () => (await store.loadKey())?.publicJwk.crv
    const before = await inUse()
    await store.useKey('another')
    const isNext = (await store.makeKey(type)).id === id && (await inUse()) === before
    await store.useKey(id)
    const after = await inUse()
    const isInUse = (await store.makeKey(type)).id === id
    await store.write('key', 'no key at all')
    return { before, isNext, after, isInUse, broken: await store.loadKey() }
  })
  expect(other).toEqual({
    before: 'P-256',
    isNext: true,
    after: 'X25519',
    isInUse: true,
    broken: undefined,
  })
})

test('a failed write is reported, and a removed listener is not called', async () => {
  const { url } = await serve()
  const profile = await newProfile()
  const [page, other] = [await openWithClient(url, profile), await openWithClient(url, profile)]
  const outcome = await page.evaluate(async () => {
    globalThis.store = await client.browserStore('listening')
    globalThis.heard = [0, 0]
    store.subscribe(() => heard[0]!++)
    const off = store.subscribe(() => heard[1]!++)
    off()
    const put = Object.getOwnPropertyDescriptor(IDBObjectStore.prototype, 'put')!
    // eslint-disable-next-line @typescript-eslint/unbound-method -- taken to be replaced
    IDBObjectStore.prototype.put = new Proxy(IDBObjectStore.prototype.put, {
      apply(put, store: IDBObjectStore, args: [unknown, string]) {
        const request = put.apply(store, args)
        request.addEventListener('success', () => {
          store.transaction.abort()
        })
        return request
      },
    })
    const failed = await store.write('session', {}).then(
      () => 'kept',
      (error: unknown) => (error as AuthError).code,
    )
    Object.defineProperty(IDBObjectStore.prototype, 'put', put)
    return failed
  })
  expect(outcome).toBe('store_failed')
  await other.evaluate(async () => {
    await (await client.browserStore('listening')).write('session', { here: true })
  })
  await until(() => page.evaluate(() => heard[0] === 1))
  expect(await page.evaluate(() => heard)).toEqual([1, 0])
})

test('a browser that cannot read a stored key again is reported as unsupported', async () => {
  const { url } = await serve()
  const page = await openWithClient(url)
  const outcome = await page.evaluate(async () => {
    const store = await client.browserStore('forgetful')
    // eslint-disable-next-line @typescript-eslint/unbound-method -- taken to be replaced
    IDBObjectStore.prototype.put = new Proxy(IDBObjectStore.prototype.put, {
      apply: (put, records: IDBObjectStore, [, id]: [unknown, string]) =>
        put.apply(records, [null, id]),
    })
    return store.makeKey({ kty: 'EC', crv: 'P-256' }).then(
      () => 'made',
      (error: unknown) => (error as AuthError).message,
    )
  })
  expect(outcome).toBe('P-256 keys are not supported here.')
})

/** What every store that runs on Node does. */
import { describe, expect, test } from '@jest/globals'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { decrypt } from '../../../client/token/decrypt.ts'
import { fileStore } from '../../../client/stores/file-store.ts'
import { memoryStore } from '../../../client/stores/memory-store.ts'
import { oneAtATime } from '../../../client/stores/one-at-a-time.ts'
import type { KeyType } from '../../../protocol/algorithms.ts'
import { codeOf, scratchFolder } from '../../support/auth-client.ts'
import { encryptJwe } from '../../support/foreign-jose.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'
import { publicKeyOf } from '../token/fixtures.ts'

const P256: KeyType = { kty: 'EC', crv: 'P-256' }

describe.each([
  ['memory', () => Promise.resolve(memoryStore())],
  [
    'file',
    async () =>
      fileStore({ folder: await scratchFolder(), passphrase: 'p', scryptCost: CHEAP_SCRYPT }),
  ],
] as const)('a store in %s', (kind, make) => {
  test('has a kind, no warning, and a subscription that can be ended', async () => {
    const store = await make()
    expect(store.kind).toBe(kind)
    expect(store.warning).toBeUndefined()
    const stop = store.subscribe(() => undefined)
    stop()
  })

  test('has no key until one is made, and then keeps it', async () => {
    const store = await make()
    expect(await store.loadKey()).toBeUndefined()
    const key = await store.makeKey(P256)
    expect(Object.keys(key.publicJwk).sort()).toEqual(['crv', 'kty', 'x', 'y'])
    expect(key.privateKey.extractable).toBe(false)
    expect(await store.loadKey()).toBe(key)
    expect(await store.makeKey(P256)).toBe(key)
    const jwe = encryptJwe('text', publicKeyOf(key), { kid: key.id, cty: 'JWT' })
    expect(await decrypt(jwe, key, 'JWT')).toBe('text')
  })

  test('makes one key for concurrent callers', async () => {
    const store = await make()
    const keys = await Promise.all([1, 2, 3, 4].map(() => store.makeKey(P256)))
    expect(new Set(keys.map(({ id }) => id)).size).toBe(1)
  })

  test.each<KeyType>([{ kty: 'EC', crv: 'P-384' }, { kty: 'OKP', crv: 'X25519' }, { kty: 'RSA' }])(
    'keeps a new key of the type %j beside the old one until it is used',
    async (type) => {
      const store = await make()
      const before = await store.makeKey(P256)
      const after = await store.makeKey(type)
      expect(after.id).not.toBe(before.id)
      expect(after.publicJwk).toMatchObject(type)
      expect(after.privateKey.extractable).toBe(false)
      expect(await store.loadKey()).toBe(before)
      expect(await store.makeKey(type)).toBe(after)
      await store.useKey(before.id)
      expect(await store.loadKey()).toBe(before)
      await store.useKey(after.id)
      expect(await store.loadKey()).toBe(after)
      expect(await store.makeKey(type)).toBe(after)
    },
  )

  test('replaces an unwanted key with one new key for concurrent callers', async () => {
    const store = await make()
    const { id } = await store.makeKey(P256)
    const keys = await Promise.all([1, 2, 3].map(() => store.makeKey(P256, id)))
    expect(new Set(keys.map((key) => key.id)).size).toBe(1)
    expect(keys[0]!.id).not.toBe(id)
    // A third key replaces the second, and the first must not come back.
    const third = await store.makeKey(P256, keys[0]!.id)
    expect([id, keys[0]!.id]).not.toContain(third.id)
    expect((await store.loadKey())?.id).toBe(id)
    await store.useKey(keys[0]!.id)
    expect((await store.loadKey())?.id).toBe(id)
    await store.useKey(third.id)
    expect((await store.loadKey())?.id).toBe(third.id)
  })

  test('returns a copy of what was written', async () => {
    const store = await make()
    expect(await store.read('a')).toBeUndefined()
    const value = { list: [1, 'Zoë', null] }
    await store.write('a', value)
    await store.write('b_-9', {})
    value.list.push(2)
    expect(await store.read('a')).toEqual({ list: [1, 'Zoë', null] })
    expect(await store.read('b_-9')).toEqual({})
    await store.write('a', undefined)
    await store.write('never-there', undefined)
    expect(await store.read('a')).toBeUndefined()
  })

  test('keeps vaults apart', async () => {
    const store = await make()
    const [one, other] = [store.vault('one'), store.vault('other')]
    await one.put('id', new Uint8Array([1, 2]))
    await other.put('id', new Uint8Array([3]))
    expect(await store.vault('one').get('id')).toEqual(new Uint8Array([1, 2]))
    expect(await other.get('id')).toEqual(new Uint8Array([3]))
    expect(await one.get('another')).toBeUndefined()
    expect(await one.ids()).toEqual(['id'])
    await one.delete('id')
    await one.delete('id')
    expect(await one.ids()).toEqual([])
    expect(await other.ids()).toEqual(['id'])
  })

  test('removes every vault but one, for good', async () => {
    const store = await make()
    await store.removeVaults()
    const vaults = ['a', 'b', 'c'].map((name) => store.vault(name))
    for (const vault of vaults) await vault.put('id', new Uint8Array(1))
    await store.removeVaults('b')
    // A vault that is still open cannot bring it back.
    for (const vault of [vaults[0]!, vaults[2]!]) {
      expect(await codeOf(vault.put('late', new Uint8Array(1)))).toBe('session_ended')
    }
    await vaults[1]!.put('late', new Uint8Array(1))
    expect(await Promise.all(vaults.map((vault) => vault.ids()))).toEqual([[], ['id', 'late'], []])
    expect(await store.vault('a').ids()).toEqual([])
    await store.removeVaults()
    expect(await store.vault('b').ids()).toEqual([])
  })

  test('refuses writes to a vault that was destroyed', async () => {
    const store = await make()
    const vault = store.vault('a')
    await vault.put('id', new Uint8Array(1))
    await vault.destroy()
    expect(await codeOf(vault.put('id', new Uint8Array(1)))).toBe('session_ended')
    expect(await vault.ids()).toEqual([])
    expect(await vault.get('id')).toBeUndefined()
  })

  test('removes a vault in spite of writes under way', async () => {
    const store = await make()
    for (let round = 0; round < 30; round++) {
      const vault = store.vault('session')
      await vault.put('a', new Uint8Array([1]))
      const writes = Promise.allSettled(['b', 'c'].map((id) => vault.put(id, new Uint8Array([2]))))
      for (let turn = 0; turn < round % 10; turn++) await nextTurn()
      await store.removeVaults()
      // Each was either in time, and its record is removed too, or refused.
      for (const write of await writes) {
        if (write.status === 'rejected')
          expect(write.reason).toMatchObject({ code: 'session_ended' })
      }
      expect(await store.vault('session').ids()).toEqual([])
    }
  })

  test('runs exclusive work one at a time', async () => {
    const store = await make()
    await expectOneAtATime((work) => store.exclusively(work))
  })
})

/** Each task starts when the one before it has ended, in the order of the calls. */
async function expectOneAtATime(exclusively: <T>(work: () => Promise<T>) => Promise<T>) {
  const events: string[] = []
  const work = (name: string, fails = false) =>
    exclusively(async () => {
      events.push(`${name} begins`)
      await new Promise((resolve) => setImmediate(resolve))
      events.push(`${name} ends`)
      if (fails) throw new Error(name)
      return name
    })
  const all = await Promise.allSettled([work('a'), work('b', true), work('c')])
  expect(all).toEqual([
    { status: 'fulfilled', value: 'a' },
    { status: 'rejected', reason: new Error('b') },
    { status: 'fulfilled', value: 'c' },
  ])
  expect(events).toEqual(['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]))
}

test('two queues do not wait for each other', async () => {
  const [one, other] = [oneAtATime(), oneAtATime()]
  await expectOneAtATime(one)
  void one(() => new Promise(() => undefined))
  expect(await other(() => Promise.resolve('done'))).toBe('done')
})

test('a memory store can have a warning', () => {
  expect(memoryStore('Not kept.').warning).toBe('Not kept.')
})

import { createPrivateKey, createPublicKey } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { once } from 'node:events'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { fileStore } from '../../../client/stores/file-store.ts'
import type { KeyType } from '../../../protocol/algorithms.ts'
import { codeOf, errorOf, scratchFolder } from '../../support/auth-client.ts'
import { bundled, PROJECT_ROOT } from '../../support/bundle.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'
import { ecKey, pkcs8 } from '../../keystore/fixtures.ts'

const P256: KeyType = { kty: 'EC', crv: 'P-256' }
const passphrase = 'long pass phrase, \u{1f511}'

let folder: string
let keyFile: string
beforeEach(async () => {
  folder = join(await scratchFolder(), 'client')
  keyFile = join(folder, 'client.key')
})
const open = (secret = passphrase) =>
  fileStore({ folder, passphrase: secret, scryptCost: CHEAP_SCRYPT })
const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

describe('the key file', () => {
  test('is an encrypted PEM that opens with the passphrase only', async () => {
    const key = await open().makeKey(P256)
    const pem = await readFile(keyFile, 'utf8')
    expect(pem).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/)
    const opened = createPublicKey(createPrivateKey({ key: pem, passphrase }))
    expect(await calculateJwkThumbprint(opened.export({ format: 'jwk' }) as JWK)).toBe(key.id)
    for (const wrong of ['', 'wrong', undefined]) {
      expect(() =>
        createPrivateKey({ key: pem, ...(wrong === undefined ? {} : { passphrase: wrong }) }),
      ).toThrow()
    }
  })

  test.each<KeyType>([
    P256,
    { kty: 'EC', crv: 'P-521' },
    { kty: 'OKP', crv: 'X25519' },
    { kty: 'RSA' },
  ])('of the type %j is the same after a restart', async (type) => {
    const { id, publicJwk } = await open().makeKey(type)
    const loaded = (await open().loadKey())!
    expect(loaded).toMatchObject({ id, publicJwk })
    expect(loaded.privateKey.extractable).toBe(false)
    expect((await open().makeKey(type)).id).toBe(id)
  })

  test('of another type is kept beside the first, and replaces it when it is used', async () => {
    const before = await open().makeKey(P256)
    const type = { kty: 'OKP', crv: 'X25519' } as const
    const after = await open().makeKey(type)
    expect(after.id).not.toBe(before.id)
    expect((await open().loadKey())?.id).toBe(before.id)
    expect((await open().makeKey(type)).id).toBe(after.id)
    expect((await readdir(folder)).sort()).toEqual(['client.key', 'client.next.key'])
    await open().useKey(after.id)
    expect((await open().loadKey())?.id).toBe(after.id)
    expect(await readdir(folder)).toEqual(['client.key'])
  })

  test('is neither opened nor replaced with a wrong passphrase', async () => {
    const { id } = await open().makeKey(P256)
    const error = await errorOf(open('wrong').loadKey())
    expect(error.code).toBe('store_failed')
    expect(error.message).toContain(keyFile)
    expect(`${error.message} ${String(error.cause)}`).not.toContain('wrong"')
    expect(await codeOf(open('wrong').makeKey(P256))).toBe('store_failed')
    expect(await codeOf(open('wrong').makeKey({ kty: 'RSA' }))).toBe('store_failed')
    expect((await open().loadKey())?.id).toBe(id)
  })

  test.each<[string, (pem: string) => string]>([
    ['plain', () => pkcs8(ecKey())],
    ['empty', () => ''],
    ['cut short', (pem) => pem.slice(0, 200)],
    ['with changed bytes', (pem) => pem.replace(/\n\w{20}/, `\n${'A'.repeat(20)}`)],
    ['a certificate', (pem) => pem.replaceAll('ENCRYPTED PRIVATE KEY', 'CERTIFICATE')],
    ['a key of another kind', () => signingKey()],
  ])('that is %s is neither opened nor replaced', async (_name, change) => {
    await open().makeKey(P256)
    const damaged = change(await readFile(keyFile, 'utf8'))
    await writeFile(keyFile, damaged)
    expect(await codeOf(open().loadKey())).toBe('store_failed')
    expect(await codeOf(open().makeKey(P256))).toBe('store_failed')
    expect(await readFile(keyFile, 'utf8')).toBe(damaged)
  })

  /** An Ed25519 key, which cannot decrypt. */
  function signingKey() {
    const seed = '302e020100300506032b657004220420'
    const der = Buffer.concat([Buffer.from(seed, 'hex'), Buffer.alloc(32, 7)])
    return pkcs8(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }), passphrase)
  }

  test.each([0o640, 0o604, 0o660, 0o644])(
    'that others can access (%i) is refused',
    async (mode) => {
      await open().makeKey(P256)
      await chmod(keyFile, mode)
      const error = await errorOf(open().loadKey())
      expect(error.code).toBe('store_failed')
      expect(error.message).toContain('chmod 600')
      await chmod(keyFile, 0o400)
      expect(await open().loadKey()).toBeDefined()
    },
  )

  test('is never written without a passphrase', async () => {
    for (const none of ['', null as unknown as string]) {
      const opening = Promise.resolve().then(() => open(none))
      expect(await codeOf(opening)).toBe('store_failed')
    }
    await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('files', () => {
  test('are readable by their owner only', async () => {
    const store = open()
    await store.makeKey(P256)
    await store.write('session', { a: 1 })
    await store.vault('s').put('id', new Uint8Array(3))
    expect(await modeOf(folder)).toBe('700')
    expect(await modeOf(join(folder, 'vault-s'))).toBe('700')
    for (const path of ['client.key', 'session.json', 'vault-s/id']) {
      expect(await modeOf(join(folder, path))).toBe('600')
    }
    expect((await readdir(folder)).sort()).toEqual(['client.key', 'session.json', 'vault-s'])
  })

  test('are not created by reading', async () => {
    const store = open()
    await store.loadKey()
    await store.read('session')
    await store.vault('s').ids()
    await store.removeVaults()
    await store.write('session', undefined)
    await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('that cannot be listed are an error', async () => {
    await writeFile(folder, 'a file in the place of the folder')
    expect(await codeOf(open().removeVaults())).toBe('store_failed')
    expect(await codeOf(open().vault('s').ids())).toBe('store_failed')
  })

  test.each(['', '{', '[]', '"text"', 'null', '\u0000'])(
    'containing %j are not taken for absent ones',
    async (text) => {
      await mkdir(folder)
      await writeFile(join(folder, 'session.json'), text)
      expect([await open().read('session'), await open().read('other')]).toEqual([null, undefined])
    },
  )

  test.each(['../session', '..', 'a/b', 'a\\b', 'a.b', '', ' ', '\u0000'])(
    'with the name %j are not touched',
    async (name) => {
      const store = open()
      const attempt = (work: () => unknown) => codeOf(Promise.resolve().then(work))
      expect(await attempt(() => store.read(name))).toBe('store_failed')
      expect(await attempt(() => store.write(name, {}))).toBe('store_failed')
      expect(await attempt(() => store.vault(name))).toBe('store_failed')
      const vault = store.vault('s')
      expect(await attempt(() => vault.get(name))).toBe('store_failed')
      expect(await attempt(() => vault.put(name, new Uint8Array(1)))).toBe('store_failed')
      expect(await attempt(() => vault.delete(name))).toBe('store_failed')
    },
  )

  test('whose folder is a file are an error for every method', async () => {
    await writeFile(folder, 'a file where the folder should be')
    const store = open()
    expect(await codeOf(store.makeKey(P256))).toBe('store_failed')
    expect(await codeOf(store.loadKey())).toBe('store_failed')
    expect(await codeOf(store.read('session'))).toBe('store_failed')
    expect(await codeOf(store.write('session', {}))).toBe('store_failed')
    expect(await codeOf(store.write('session', undefined))).toBe('store_failed')
    const vault = store.vault('s')
    expect(await codeOf(vault.put('id', new Uint8Array(1)))).toBe('store_failed')
    expect(await codeOf(vault.get('id'))).toBe('store_failed')
  })

  test('that are temporary or foreign are neither read nor removed', async () => {
    const store = open()
    const vault = store.vault('s')
    await vault.put('id', new Uint8Array([1]))
    await writeFile(join(folder, 'vault-s', 'id.1234.tmp'), 'half')
    await writeFile(join(folder, 'notes.txt'), 'mine')
    expect(await vault.ids()).toEqual(['id'])
    await store.removeVaults()
    expect(await readdir(folder)).toEqual(['notes.txt'])
  })

  test('are whole after the program was killed during a write', async () => {
    const script = join(await scratchFolder(), 'write.mts')
    const module = join(import.meta.dirname, '../../../client/node.ts')
    await writeFile(
      script,
      `import { fileStore } from ${JSON.stringify(module)}
       const store = fileStore({ folder: ${JSON.stringify(folder)}, passphrase: 'p' })
       for (let n = 1; ; n++) {
         await store.write('session', { n, text: String(n % 10).repeat(300_000) })
         if (n === 3) console.log('writing')
       }`,
    )
    for (const wait of [1, 7, 19]) {
      const child = spawn(process.execPath, [bundled(script)], {
        cwd: PROJECT_ROOT,
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { PATH: process.env['PATH'] },
      })
      await Promise.race([once(child.stdout, 'data'), once(child, 'close')])
      expect(child.exitCode).toBeNull()
      await delay(wait)
      const closed = once(child, 'close')
      child.kill('SIGKILL')
      await closed
      const kept = (await open('p').read('session')) as { n: number; text: string }
      expect(kept.n).toBeGreaterThanOrEqual(3)
      expect(kept.text).toBe(String(kept.n % 10).repeat(300_000))
    }
  })
})

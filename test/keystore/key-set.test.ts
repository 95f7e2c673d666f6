import { beforeEach, describe, expect, test } from '@jest/globals'
import { chmod, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { generateKeys, pruneKeys, rotateKeys } from '../../server/commands/keys/folder-changes.ts'
import { fingerprint, readFolder, type KeyFolder } from '../../server/keystore/folder.ts'
import { toKeyPair } from '../../server/keystore/key-pair.ts'
import { loadKeys } from '../../server/keystore/key-set.ts'
import { parsePrivateKey } from '../../server/keystore/pem.ts'
import { CHEAP_SCRYPT } from '../support/scrypt.ts'
import {
  DEFAULTS,
  ecKey,
  emptyFolder,
  fill,
  FORMS,
  opensslPem,
  PASSPHRASE,
  pkcs8,
  problemsOf,
  rsaKey,
  RSA_ENCRYPTION,
} from './fixtures.ts'

let path: string
beforeEach(async () => {
  path = await emptyFolder()
})

const folder = (changes: Partial<KeyFolder> = {}): KeyFolder => ({
  path,
  passphrase: undefined,
  algorithms: DEFAULTS,
  scryptCost: CHEAP_SCRYPT,
  ...changes,
})
const files = async () => (await readdir(path)).sort()
const encrypted = async (passphrase?: string) =>
  (await readFolder(folder({ passphrase }))).keys.map((key) => key.encrypted)

describe("an operator's own keys are loaded", () => {
  test.each(
    FORMS.flatMap((form) => [undefined, PASSPHRASE].map((phrase) => [form, phrase] as const)),
  )('EC in %s form, passphrase %s', async (form, passphrase) => {
    const [sig, enc] = [ecKey(), ecKey()]
    await fill(path, {
      'sig.key': opensslPem(sig, form, passphrase),
      'enc.key': opensslPem(enc, form, passphrase),
    })
    const loaded = await loadKeys(folder({ passphrase }))
    expect(loaded.sig.current).toMatchObject(await toKeyPair(sig, 'sig', 'ES256'))
    expect(loaded.enc.current.kid).toBe((await toKeyPair(enc, 'enc', 'ECDH-ES')).kid)
    expect(loaded.enc.current).toMatchObject({ use: 'enc', alg: 'ECDH-ES+A128KW' })
    expect(await encrypted(passphrase)).toEqual(Array(2).fill(passphrase !== undefined))
  })

  test.each(FORMS)('RSA in %s form', async (form) => {
    const [sig, enc] = [rsaKey(), rsaKey()]
    await fill(path, {
      'sig.key': opensslPem(sig, form, PASSPHRASE),
      'enc.key': opensslPem(enc, form, PASSPHRASE),
    })
    const algorithms = { ...RSA_ENCRYPTION, signingAlg: 'PS256' } as const
    const loaded = await loadKeys(folder({ passphrase: PASSPHRASE, algorithms }))
    expect(loaded.sig.current.privateKey.equals(sig)).toBe(true)
    expect(loaded.enc.current.privateKey.equals(enc)).toBe(true)
  })

  test('one encrypted and one not, with the passphrase', async () => {
    await fill(path, { 'sig.key': pkcs8(ecKey(), PASSPHRASE), 'enc.key': pkcs8(ecKey()) })
    await loadKeys(folder({ passphrase: PASSPHRASE }))
    expect(await encrypted(PASSPHRASE)).toEqual([false, true])
  })

  test('without next and previous keys, and as old as their files', async () => {
    await fill(path, { 'sig.key': pkcs8(ecKey()), 'enc.key': pkcs8(ecKey()) })
    const written = new Date('2026-01-02T03:04:05Z')
    await utimes(join(path, 'sig.key'), written, written)
    const { sig, enc } = await loadKeys(folder())
    expect(sig).toMatchObject({ next: undefined, previous: [], currentSince: written.getTime() })
    expect(enc).toMatchObject({ next: undefined, previous: [] })
    expect(Math.abs(enc.currentSince - Date.now())).toBeLessThan(60_000)
    expect(await files()).toEqual(['enc.key', 'sig.key'])
  })

  test('after an interrupted change of both', async () => {
    const [sig, enc] = [ecKey(), ecKey()]
    await fill(path, { 'sig.key': pkcs8(sig), 'enc.key': pkcs8(ecKey()) })
    await mkdir(join(path, '.commit'))
    await fill(join(path, '.commit'), {
      'enc.key': pkcs8(enc),
      'manifest.json': '{"write":["sig.key","enc.key"],"remove":[]}',
    })
    const loaded = await loadKeys(folder())
    expect(loaded.sig.current.privateKey.equals(sig)).toBe(true)
    expect(loaded.enc.current.privateKey.equals(enc)).toBe(true)
  })
})

describe('previous keys', () => {
  test('that have retired are not loaded, even before they are pruned', async () => {
    await generateKeys(folder())
    const first = await loadKeys(folder())
    const begun = Date.now()
    await rotateKeys(folder(), begun, 3_600_000)
    const kept = await loadKeys(folder())
    for (const use of ['sig', 'enc'] as const) {
      expect(kept[use].previous.map(({ kid }) => kid)).toEqual([first[use].current.kid])
      expect(kept[use].currentSince).toBe(begun)
    }
    await rotateKeys(folder(), Date.now() - 5000, 1000)
    const { sig, enc } = await loadKeys(folder())
    for (const [use, ring] of [
      ['sig', sig],
      ['enc', enc],
    ] as const) {
      expect(ring.previous.map(({ kid }) => kid)).toEqual([first[use].current.kid])
    }
    expect((await readFolder(folder())).keys).toHaveLength(8)
  })

  test('whose files are gone too early are a warning', async () => {
    await generateKeys(folder())
    const { kid } = (await loadKeys(folder())).enc.current
    const now = Date.now()
    const lost = async (time: number) =>
      (await loadKeys(folder(), time)).warnings.filter((text) => text.includes('is missing'))
    await rotateKeys(folder(), now, 3_600_000)
    expect(await lost(now)).toEqual([])
    await rm(join(path, `enc.${kid}.key`))
    const retires = new Date(now + 3_600_000).toISOString()
    expect(await lost(now)).toEqual([
      `The previous key ${kid} is missing in ${path}, although it is needed until ${retires}. Restore it from your backup: what was made with it is refused meanwhile.`,
    ])
    // A command does not forget it.
    await pruneKeys(folder(), now)
    expect(await lost(now)).toHaveLength(1)
    expect(await lost(now + 3_600_000)).toEqual([])
    await pruneKeys(folder(), now + 3_600_000)
    expect(await lost(now)).toEqual([])
  })

  test('without a record are loaded', async () => {
    await generateKeys(folder())
    await rotateKeys(folder(), Date.now() - 5000, 1000)
    await rm(join(path, 'keys.json'))
    const { sig, enc } = await loadKeys(folder())
    expect([sig.previous.length, enc.previous.length]).toEqual([1, 1])
  })
})

test('a set of keys has the fingerprint of the folder that it was read from', async () => {
  await generateKeys(folder())
  expect((await loadKeys(folder())).fingerprint).toBe(await fingerprint(path))
})

describe('an encryption key that fits more than one algorithm', () => {
  const wider = { ...DEFAULTS, encryptionAlg: 'ECDH-ES+A256KW' } as const

  test.each([true, false])('is used with the configured one (recorded: %s)', async (isRecorded) => {
    await generateKeys(folder())
    if (!isRecorded) await rm(join(path, 'keys.json'))
    for (const algorithms of [wider, DEFAULTS]) {
      const { enc } = await loadKeys(folder({ algorithms }))
      expect(enc.current.alg).toBe(algorithms.encryptionAlg)
    }
  })
})

describe('a boot without both keys explains what to do', () => {
  const noKeys = (where: string) =>
    `There are no keys in ${where}. Make them with \`npm run keys -- generate\`, or put your own sig.key and enc.key there.`

  test('no folder', async () => {
    const missing = join(path, 'missing')
    expect(await problemsOf(loadKeys(folder({ path: missing })))).toEqual([noKeys(missing)])
    expect(await files()).toEqual([])
  })

  test('an empty folder', async () => {
    expect(await problemsOf(loadKeys(folder()))).toEqual([noKeys(path)])
  })

  test('a file in place of the folder', async () => {
    const file = join(path, 'file')
    await writeFile(file, '')
    expect(await problemsOf(loadKeys(folder({ path: file })))).toEqual([
      `The key folder ${file} cannot be read (ENOTDIR). Check KEYS_DIR and the permissions of the folder.`,
    ])
  })

  test('an interrupted change that cannot be finished', async () => {
    await mkdir(join(path, '.commit'))
    await fill(join(path, '.commit'), { 'manifest.json': '{' })
    expect(await problemsOf(loadKeys(folder()))).toEqual([
      `The key folder ${path} cannot be read (unknown). Check KEYS_DIR and the permissions of the folder.`,
    ])
  })

  test.each([
    ['sig.key', 'enc.key'],
    ['enc.key', 'sig.key'],
  ])('%s is missing, and the other key is not replaced', async (missing, present) => {
    const pem = pkcs8(ecKey())
    await fill(path, { [present]: pem })
    expect(await problemsOf(loadKeys(folder()))).toEqual([
      `${join(path, missing)} is missing, but ${present} is there. Restore it from your backup. Or, to start over and sign everybody out, move ${present} away and make both with \`npm run keys -- generate\`.`,
    ])
    expect(await files()).toEqual([present])
    expect(await readFile(join(path, present), 'utf8')).toBe(pem)
  })
})

describe('a key that cannot be used stops the boot with one sentence', () => {
  const DAMAGED = 'has no private key in PEM format, or a damaged one. Restore it from your backup.'
  const PUBLIC = 'has a public key. Replace it with the private key.'
  const LOCKED = 'is protected by a passphrase, but PRIVATE_KEY_PASSPHRASE is not set. Set it.'
  const WRONG =
    'cannot be decrypted with PRIVATE_KEY_PASSPHRASE. Set it to the passphrase that the key was encrypted with.'
  const locked = pkcs8(ecKey(), 'right')
  const spki = () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString()

  const CASES: [string, string, string | undefined, string][] = [
    ['empty', '', undefined, DAMAGED],
    ['corrupt', 'not a key', undefined, DAMAGED],
    ['truncated', pkcs8(ecKey()).slice(0, 100), undefined, DAMAGED],
    ['encrypted and truncated', locked.slice(0, 200), 'right', DAMAGED],
    [
      'encrypted and damaged in its first bytes',
      '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIA=\n-----END ENCRYPTED PRIVATE KEY-----\n',
      'right',
      DAMAGED,
    ],
    ['public', spki(), undefined, PUBLIC],
    ['a certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n', undefined, PUBLIC],
    ['encrypted, without a passphrase', locked, undefined, LOCKED],
    ['encrypted, with a wrong passphrase', locked, 'wrong', WRONG],
    [
      'encrypted in the older form, with a wrong passphrase',
      opensslPem(ecKey(), 'traditional', 'right'),
      'wrong',
      WRONG,
    ],
  ]

  describe.each(['sig', 'enc'] as const)('%s.key', (use) => {
    const other = use === 'sig' ? 'enc.key' : 'sig.key'

    test.each(CASES)('%s', async (_name, pem, passphrase, sentence) => {
      await fill(path, { [`${use}.key`]: pem, [other]: pkcs8(ecKey()) })
      expect(await problemsOf(loadKeys(folder({ passphrase })))).toEqual([
        `${join(path, `${use}.key`)} ${sentence}`,
      ])
    })

    test('a folder in its place', async () => {
      await fill(path, { [other]: pkcs8(ecKey()) })
      await mkdir(join(path, `${use}.key`))
      expect(await problemsOf(loadKeys(folder()))).toEqual([
        `${join(path, `${use}.key`)} cannot be read (EISDIR). Make it a file that the server's user may read.`,
      ])
    })

    test.each<[string, () => string, string]>([
      ['another curve', () => pkcs8(ecKey('P-384')), 'of type EC P-384, not EC P-256'],
      ['another type', () => pkcs8(rsaKey()), 'of type RSA, not EC P-256'],
    ])('%s', async (_name, make, fault) => {
      await fill(path, { [`${use}.key`]: make(), [other]: pkcs8(ecKey()) })
      const needs =
        use === 'sig' ? 'TOKEN_SIGNING_ALG=ES256' : 'TOKEN_ENCRYPTION_ALG=ECDH-ES+A128KW'
      expect(await problemsOf(loadKeys(folder()))).toEqual([
        `${join(path, `${use}.key`)} is ${fault}, which ${needs} requires. To switch to the configured algorithm and keep everybody signed in, run \`npm run keys -- rotate\`. Or change the configuration to fit the key.`,
      ])
    })
  })

  test('a weak RSA key', async () => {
    await fill(path, { 'sig.key': pkcs8(rsaKey(1024)), 'enc.key': pkcs8(ecKey()) })
    const algorithms = { ...DEFAULTS, signingAlg: 'RS256' } as const
    const [problem] = await problemsOf(loadKeys(folder({ algorithms })))
    expect(problem).toContain('is an RSA key of 1024 bits, outside 2048 to 8192')
  })

  test('two bad keys, reported together', async () => {
    await fill(path, { 'sig.key': '', 'enc.key': spki() })
    expect(await problemsOf(loadKeys(folder()))).toEqual([
      `${join(path, 'enc.key')} ${PUBLIC}`,
      `${join(path, 'sig.key')} ${DAMAGED}`,
    ])
  })

  test('one key in both files, even in two forms', async () => {
    const key = ecKey()
    await fill(path, { 'sig.key': pkcs8(key), 'enc.key': opensslPem(key, 'traditional', 'x') })
    expect(await problemsOf(loadKeys(folder({ passphrase: 'x' })))).toEqual([
      `enc.key and sig.key in ${path} are the same key, but sig.key must be a different one. Use one key for one purpose only: make new keys with \`npm run keys -- generate\` in an empty folder.`,
    ])
  })

  test('one key in both files, its point compressed in one', async () => {
    const key = ecKey()
    const compressed = withCompressedPoint(key)
    expect((await parsePrivateKey(compressed, undefined)).equals(ecKey())).toBe(false)
    await fill(path, { 'sig.key': pkcs8(key), 'enc.key': compressed })
    expect((await problemsOf(loadKeys(folder())))[0]).toContain('are the same key')
  })

  test('without key material or the passphrase in it', async () => {
    await fill(path, { 'sig.key': locked, 'enc.key': pkcs8(ecKey()).slice(0, 100) })
    const text = (await problemsOf(loadKeys(folder({ passphrase: 'my secret' })))).join()
    expect(text).not.toContain('my secret')
    expect(text).not.toMatch(/MII|MHc|BEGIN/)
  })
})

describe('warnings', () => {
  const plain = (name: string) =>
    `${join(path, name)} is not protected by a passphrase. Anybody who can read the file can sign or read tokens. Protect every key with: npm run keys -- passphrase`

  test('none for keys under a passphrase that only their owner can read', async () => {
    await fill(path, { 'sig.key': pkcs8(ecKey(), 'x'), 'enc.key': pkcs8(ecKey(), 'x') })
    expect((await loadKeys(folder({ passphrase: 'x' }))).warnings).toEqual([])
  })

  test('a key without a passphrase, even if one is configured', async () => {
    await fill(path, { 'sig.key': pkcs8(ecKey(), 'x'), 'enc.key': pkcs8(ecKey()) })
    const { warnings } = await loadKeys(folder({ passphrase: 'x' }))
    expect(warnings).toEqual([plain('enc.key')])
  })

  const modes = process.platform === 'win32' ? [] : [0o640, 0o604, 0o660, 0o644, 0o610]
  test.each(modes)('a key that others can access (mode %o)', async (mode) => {
    await fill(path, { 'sig.key': pkcs8(ecKey(), 'x'), 'enc.key': pkcs8(ecKey(), 'x') })
    const file = join(path, 'sig.key')
    await chmod(file, mode)
    expect((await loadKeys(folder({ passphrase: 'x' }))).warnings).toEqual([
      `${file} can be read or written by users other than its owner (mode ${mode.toString(8)}). Run: chmod 600 ${file}`,
    ])
  })
})

/** SEC1 (RFC 5915 §3) on P-256, as `openssl ec -conv_form compressed` writes it. */
function withCompressedPoint(key: KeyObject): string {
  const { d, x, y } = key.export({ format: 'jwk' })
  const hex = (part?: string) => Buffer.from(part!, 'base64url').toString('hex')
  const sign = Buffer.from(y!, 'base64url').at(-1)! & 1
  const der =
    `30570201010420${hex(d)}` +
    `a00a06082a8648ce3d030107a124032200${sign === 0 ? '02' : '03'}${hex(x)}`
  const body = Buffer.from(der, 'hex').toString('base64')
  return `-----BEGIN EC PRIVATE KEY-----\n${body}\n-----END EC PRIVATE KEY-----\n`
}

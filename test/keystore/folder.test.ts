import { beforeEach, describe, expect, test } from '@jest/globals'
import { chmod, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPairSync } from 'node:crypto'
import {
  ENCRYPTION_ALGS,
  ENCRYPTION_CRVS,
  SIGNING_ALGS,
  type Algorithms,
} from '../../server/keystore/algorithms.ts'
import { generateKeys, loadKeys, type KeyFolder } from '../../server/keystore/folder.ts'
import { toKeyPair } from '../../server/keystore/key-pair.ts'
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
  ...changes,
})
const files = async () => (await readdir(path)).sort()

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
    expect(loaded.sig.pair).toMatchObject(await toKeyPair(sig, 'sig', 'ES256'))
    expect(loaded.enc.pair.kid).toBe((await toKeyPair(enc, 'enc', 'ECDH-ES')).kid)
    expect(loaded.enc.pair).toMatchObject({ use: 'enc', alg: 'ECDH-ES+A128KW' })
    expect([loaded.sig.encrypted, loaded.enc.encrypted]).toEqual(
      Array(2).fill(passphrase !== undefined),
    )
  })

  test.each(FORMS)('RSA in %s form', async (form) => {
    const [sig, enc] = [rsaKey(), rsaKey()]
    await fill(path, {
      'sig.key': opensslPem(sig, form, PASSPHRASE),
      'enc.key': opensslPem(enc, form, PASSPHRASE),
    })
    const algorithms = { ...RSA_ENCRYPTION, signingAlg: 'PS256' } as const
    const loaded = await loadKeys(folder({ passphrase: PASSPHRASE, algorithms }))
    expect(loaded.sig.pair.privateKey.equals(sig)).toBe(true)
    expect(loaded.enc.pair.privateKey.equals(enc)).toBe(true)
  })

  test('one encrypted and one not, with the passphrase', async () => {
    await fill(path, { 'sig.key': pkcs8(ecKey(), PASSPHRASE), 'enc.key': pkcs8(ecKey()) })
    const { sig, enc } = await loadKeys(folder({ passphrase: PASSPHRASE }))
    expect([sig.encrypted, enc.encrypted]).toEqual([true, false])
  })

  test('with where they lie and when they were written', async () => {
    await fill(path, { 'sig.key': pkcs8(ecKey()), 'enc.key': pkcs8(ecKey()) })
    const written = new Date('2026-01-02T03:04:05Z')
    await utimes(join(path, 'sig.key'), written, written)
    const { sig, enc } = await loadKeys(folder())
    expect(sig).toMatchObject({ path: join(path, 'sig.key'), modifiedAt: written.getTime() })
    expect(enc.path).toBe(join(path, 'enc.key'))
  })

  test('after a change of both was cut short', async () => {
    const [sig, enc] = [ecKey(), ecKey()]
    await fill(path, { 'sig.key': pkcs8(sig), 'enc.key': pkcs8(ecKey()) })
    await mkdir(join(path, '.commit'))
    await fill(join(path, '.commit'), {
      'enc.key': pkcs8(enc),
      'manifest.json': '{"write":["sig.key","enc.key"],"remove":[]}',
    })
    const loaded = await loadKeys(folder())
    expect(loaded.sig.pair.privateKey.equals(sig)).toBe(true)
    expect(loaded.enc.pair.privateKey.equals(enc)).toBe(true)
  })
})

describe('a boot without both keys says what to do', () => {
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
      `The key folder ${file} cannot be read (ENOTDIR). Check KEYS_DIR and the rights on the folder.`,
    ])
  })

  test('a change that was cut short and cannot be finished', async () => {
    await mkdir(join(path, '.commit'))
    await fill(join(path, '.commit'), { 'manifest.json': '{' })
    expect(await problemsOf(loadKeys(folder()))).toEqual([
      `The key folder ${path} cannot be read (unknown). Check KEYS_DIR and the rights on the folder.`,
    ])
  })

  test.each([
    ['sig.key', 'enc.key'],
    ['enc.key', 'sig.key'],
  ])('%s missing: the other one is not replaced', async (missing, present) => {
    const pem = pkcs8(ecKey())
    await fill(path, { [present]: pem })
    expect(await problemsOf(loadKeys(folder()))).toEqual([
      `${join(path, missing)} is missing, and ${present} is there. Restore it from your backup; or, if signing everybody out is acceptable, move ${present} away and make both anew with \`npm run keys -- generate\`.`,
    ])
    expect(await files()).toEqual([present])
    expect(await readFile(join(path, present), 'utf8')).toBe(pem)
  })
})

describe('a key that cannot be used stops the boot with one sentence', () => {
  const DAMAGED = 'holds no private key in PEM form, or a damaged one. Restore it from your backup.'
  const PUBLIC = 'holds a public key. The private key belongs there.'
  const LOCKED = 'is protected by a passphrase, and PRIVATE_KEY_PASSPHRASE is not set. Set it.'
  const WRONG =
    'does not open with PRIVATE_KEY_PASSPHRASE. Set the passphrase that the key was made with.'
  const encrypted = pkcs8(ecKey(), 'right')
  const spki = () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString()

  const CASES: [string, string, string | undefined, string][] = [
    ['empty', '', undefined, DAMAGED],
    ['corrupt', 'not a key', undefined, DAMAGED],
    ['cut short', pkcs8(ecKey()).slice(0, 100), undefined, DAMAGED],
    ['encrypted and cut short', encrypted.slice(0, 200), 'right', DAMAGED],
    [
      'encrypted and damaged in its first bytes',
      '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIA=\n-----END ENCRYPTED PRIVATE KEY-----\n',
      'right',
      DAMAGED,
    ],
    ['public', spki(), undefined, PUBLIC],
    ['a certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n', undefined, PUBLIC],
    ['encrypted, without a passphrase', encrypted, undefined, LOCKED],
    ['encrypted, with a wrong passphrase', encrypted, 'wrong', WRONG],
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
        `${join(path, `${use}.key`)} is ${fault}, which ${needs} needs. Change the configuration to fit the key, or bring a key that fits.`,
      ])
    })
  })

  test('a weak RSA key', async () => {
    await fill(path, { 'sig.key': pkcs8(rsaKey(1024)), 'enc.key': pkcs8(ecKey()) })
    const algorithms = { ...DEFAULTS, signingAlg: 'RS256' } as const
    const [problem] = await problemsOf(loadKeys(folder({ algorithms })))
    expect(problem).toContain('is an RSA key of 1024 bits, outside 2048 to 8192')
  })

  test('two bad keys are told together', async () => {
    await fill(path, { 'sig.key': '', 'enc.key': spki() })
    expect(await problemsOf(loadKeys(folder()))).toEqual([
      `${join(path, 'sig.key')} ${DAMAGED}`,
      `${join(path, 'enc.key')} ${PUBLIC}`,
    ])
  })

  test('one key in both files, even in two forms', async () => {
    const key = ecKey()
    await fill(path, { 'sig.key': pkcs8(key), 'enc.key': opensslPem(key, 'traditional', 'x') })
    expect(await problemsOf(loadKeys(folder({ passphrase: 'x' })))).toEqual([
      `sig.key and enc.key in ${path} are the same key. One key must not both sign and decrypt: make two with \`npm run keys -- generate\` in an empty folder.`,
    ])
  })

  test('no sentence holds key material or the passphrase', async () => {
    await fill(path, { 'sig.key': encrypted, 'enc.key': pkcs8(ecKey()).slice(0, 100) })
    const text = (await problemsOf(loadKeys(folder({ passphrase: 'my secret' })))).join()
    expect(text).not.toContain('my secret')
    expect(text).not.toMatch(/MII|MHc|BEGIN/)
  })
})

describe('what is no fault is a warning', () => {
  const plain = (name: string) =>
    `${join(path, name)} is not protected by a passphrase: whoever can read the file can sign or read tokens. Set PRIVATE_KEY_PASSPHRASE and make the keys with it.`

  test('none for keys under a passphrase that only their owner can read', async () => {
    await fill(path, { 'sig.key': pkcs8(ecKey(), 'x'), 'enc.key': pkcs8(ecKey(), 'x') })
    expect((await loadKeys(folder({ passphrase: 'x' }))).warnings).toEqual([])
  })

  test('a key without a passphrase, even when there is one', async () => {
    await fill(path, { 'sig.key': pkcs8(ecKey(), 'x'), 'enc.key': pkcs8(ecKey()) })
    const { warnings } = await loadKeys(folder({ passphrase: 'x' }))
    expect(warnings).toEqual([plain('enc.key')])
  })

  const modes = process.platform === 'win32' ? [] : [0o640, 0o604, 0o660, 0o644, 0o610]
  test.each(modes)('a key that others can get at (mode %o)', async (mode) => {
    await fill(path, { 'sig.key': pkcs8(ecKey(), 'x'), 'enc.key': pkcs8(ecKey(), 'x') })
    const file = join(path, 'sig.key')
    await chmod(file, mode)
    expect((await loadKeys(folder({ passphrase: 'x' }))).warnings).toEqual([
      `${file} can be read or written by others than its owner (mode ${mode.toString(8)}). Run: chmod 600 ${file}`,
    ])
  })
})

describe('generating', () => {
  test.each([undefined, PASSPHRASE])(
    'makes both keys, for their owner alone and under the passphrase %s, and leaves nothing else',
    async (passphrase) => {
      const { sig, enc } = await generateKeys(folder({ passphrase }))
      expect(await files()).toEqual(['enc.key', 'sig.key'])
      const header = `-----BEGIN ${passphrase === undefined ? '' : 'ENCRYPTED '}PRIVATE KEY-----\n`
      for (const file of [sig, enc]) {
        expect(file.encrypted).toBe(passphrase !== undefined)
        expect((await readFile(file.path, 'utf8')).startsWith(header)).toBe(true)
        if (process.platform !== 'win32') expect((await stat(file.path)).mode & 0o777).toBe(0o600)
      }
      expect(sig.pair.kid).not.toBe(enc.pair.kid)
    },
  )

  test('makes the folder, for its owner alone', async () => {
    const deep = join(path, 'a', 'b')
    await generateKeys(folder({ path: deep }))
    expect((await readdir(deep)).sort()).toEqual(['enc.key', 'sig.key'])
    if (process.platform !== 'win32') expect((await stat(deep)).mode & 0o777).toBe(0o700)
  })

  test('cannot make a folder under a file', async () => {
    const file = join(path, 'file')
    await writeFile(file, '')
    for (const [where, code] of [
      [file, 'EEXIST'],
      [join(file, 'keys'), 'ENOTDIR'],
    ] as const) {
      expect(await problemsOf(generateKeys(folder({ path: where })))).toEqual([
        `The key folder ${where} cannot be made (${code}). Check KEYS_DIR and the rights on the folder above it.`,
      ])
    }
  })

  test.each([
    ['sig.key', ['sig.key']],
    ['enc.key', ['enc.key']],
    ['sig.key and enc.key', ['sig.key', 'enc.key']],
  ])('never overwrites: with %s there, nothing is changed', async (named, present) => {
    await fill(path, Object.fromEntries(present.map((name) => [name, 'mine'])))
    expect(await problemsOf(generateKeys(folder()))).toEqual([
      `${named} already in ${path}: nothing was changed. A new key would sign everybody out; to start anew all the same, move the old files away first.`,
    ])
    expect(await files()).toEqual([...present].sort())
    for (const name of present) expect(await readFile(join(path, name), 'utf8')).toBe('mine')
  })

  test('sweeps away what an earlier command left, and its keys are both new', async () => {
    await mkdir(join(path, '.staged-1'))
    await fill(join(path, '.staged-1'), { 'sig.key': 'half' })
    await generateKeys(folder())
    expect(await files()).toEqual(['enc.key', 'sig.key'])
  })

  test('makes nothing more after an earlier command that was cut short once it had decided', async () => {
    await mkdir(join(path, '.commit'))
    const manifest = '{"write":["sig.key","enc.key"],"remove":[]}'
    const [sig, enc] = [pkcs8(ecKey()), pkcs8(ecKey())]
    await fill(join(path, '.commit'), { 'sig.key': sig, 'enc.key': enc, 'manifest.json': manifest })
    expect(await problemsOf(generateKeys(folder()))).toHaveLength(1)
    expect(await readFile(join(path, 'sig.key'), 'utf8')).toBe(sig)
    expect(await files()).toEqual(['enc.key', 'sig.key'])
  })

  test('by several commands at once makes one pair', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () => generateKeys(folder())),
    )
    const made = results.filter((result) => result.status === 'fulfilled')
    expect(made).toHaveLength(1)
    const { sig, enc } = await loadKeys(folder())
    expect([sig.pair.kid, enc.pair.kid]).toEqual([
      made[0]!.value.sig.pair.kid,
      made[0]!.value.enc.pair.kid,
    ])
    expect(await files()).toEqual(['enc.key', 'sig.key'])
  })

  test('is not disturbed by a server that boots meanwhile', async () => {
    for (let round = 0; round < 5; round++) {
      const path = await emptyFolder()
      const done = new AbortController()
      const boots = async () => {
        while (!done.signal.aborted) await loadKeys(folder({ path })).catch(() => undefined)
      }
      const made = generateKeys(folder({ path })).finally(() => {
        done.abort()
      })
      const [result] = await Promise.allSettled([made, boots()])
      expect(result).toMatchObject({ status: 'fulfilled' })
    }
  })

  test.each([1024, 1025, 5000])(
    'under a passphrase of %i characters makes keys that open, or makes none',
    async (length) => {
      const passphrase = 'x'.repeat(length)
      const made = await generateKeys(folder({ passphrase })).catch(() => undefined)
      expect(await files()).toEqual(made === undefined ? [] : ['enc.key', 'sig.key'])
    },
  )
})

describe('generated keys load again as the same ones', () => {
  const CASES: Algorithms[] = [
    ...SIGNING_ALGS.map((signingAlg) => ({ ...DEFAULTS, signingAlg })),
    ...ENCRYPTION_ALGS.filter((alg) => alg !== 'RSA-OAEP-256').flatMap((encryptionAlg) =>
      ENCRYPTION_CRVS.map((encryptionCrv) => ({ ...DEFAULTS, encryptionAlg, encryptionCrv })),
    ),
    RSA_ENCRYPTION,
  ]

  test.each(CASES.map((algorithms) => [Object.values(algorithms).join(', '), algorithms] as const))(
    '%s',
    async (_name, algorithms) => {
      const made = await generateKeys(folder({ algorithms, passphrase: PASSPHRASE }))
      const loaded = await loadKeys(folder({ algorithms, passphrase: PASSPHRASE }))
      for (const use of ['sig', 'enc'] as const) {
        expect(loaded[use].pair.publicJwk).toEqual(made[use].pair.publicJwk)
        expect(loaded[use].pair.privateKey.equals(made[use].pair.privateKey)).toBe(true)
      }
      expect(loaded.sig.pair.alg).toBe(algorithms.signingAlg)
      expect(loaded.enc.pair.alg).toBe(algorithms.encryptionAlg)
      expect(loaded.warnings).toEqual([])
    },
  )
})

test('a key that was moved away comes back as the same one', async () => {
  const { sig } = await generateKeys(folder())
  const pem = await readFile(sig.path, 'utf8')
  await rm(sig.path)
  expect(await problemsOf(loadKeys(folder()))).toHaveLength(1)
  await fill(path, { 'sig.key': pem })
  expect((await loadKeys(folder())).sig.pair.kid).toBe(sig.pair.kid)
})

import { beforeEach, describe, expect, test } from '@jest/globals'
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ENCRYPTION_ALGS,
  ENCRYPTION_CRVS,
  SIGNING_ALGS,
  type Algorithms,
} from '../../../protocol/algorithms.ts'
import {
  changePassphrase,
  generateKeys,
  pruneKeys,
  revokeKeys,
  rotateKeys,
} from '../../../server/commands/keys/folder-changes.ts'
import { readFolder, type KeyFolder } from '../../../server/keystore/folder.ts'
import { readRecords } from '../../../server/keystore/key-records.ts'
import { loadKeys } from '../../../server/keystore/key-set.ts'
import type { StartupError } from '../../../server/errors/startup-error.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'
import {
  DEFAULTS,
  ecKey,
  emptyFolder,
  fill,
  FORMS,
  MODERN,
  opensslPem,
  PASSPHRASE,
  pkcs8,
  problemsOf,
  rsaKey,
  RSA_ENCRYPTION,
} from '../../keystore/fixtures.ts'

let path: string
beforeEach(async () => {
  path = await emptyFolder()
})

const ALL_FILES = ['enc.key', 'enc.next.key', 'keys.json', 'sig.key', 'sig.next.key']
const TOO_LONG =
  'The passphrase is longer than 1024 bytes, so keys encrypted with it could not be read. Choose a shorter one.'
/**
 * When a rotation takes place, and how long its old keys are kept: milliseconds. To come, for what
 * has retired is not loaded.
 */
const NOW = Date.parse('2126-05-01T12:00:00.000Z')
const KEEP = 3_600_000

const folder = (changes: Partial<KeyFolder> = {}): KeyFolder => ({
  path,
  passphrase: undefined,
  algorithms: DEFAULTS,
  scryptCost: CHEAP_SCRYPT,
  ...changes,
})
const files = async () => (await readdir(path)).sort()
/** The records of keys that still exist. */
const recordsOf = async () =>
  Object.fromEntries(
    Object.entries(await readRecords(path)).filter(([, { removed }]) => removed === undefined),
  )
/** The kids of removed keys, and when they were removed. */
const removals = async () =>
  Object.fromEntries(
    Object.entries(await readRecords(path)).flatMap(([kid, { removed }]) =>
      removed === undefined ? [] : [[kid, removed]],
    ),
  )
/** The name and content of every file. */
const contents = async () =>
  Object.fromEntries(
    await Promise.all(
      (await files()).map(async (name) => [name, await readFile(join(path, name), 'utf8')]),
    ),
  ) as Record<string, string>
/** The kids of a folder: [current, next, ...previous] for each use. */
const kids = async (which = folder()) => {
  const { sig, enc } = await loadKeys(which)
  const all = (ring: typeof sig) => [
    ring.current.kid,
    ring.next?.kid,
    ...ring.previous.map(({ kid }) => kid),
  ]
  return { sig: all(sig), enc: all(enc) }
}
const iso = (time: number) => new Date(time).toISOString()

describe('generate', () => {
  test.each([undefined, PASSPHRASE])(
    'makes all keys with the passphrase %s, in private files, and nothing else',
    async (passphrase) => {
      await generateKeys(folder({ passphrase }))
      expect(await files()).toEqual(ALL_FILES)
      const { keys } = await readFolder(folder({ passphrase }))
      const header = `-----BEGIN ${passphrase === undefined ? '' : 'ENCRYPTED '}PRIVATE KEY-----\n`
      expect(keys).toHaveLength(4)
      for (const file of keys) {
        expect(file.encrypted).toBe(passphrase !== undefined)
        expect((await readFile(file.path, 'utf8')).startsWith(header)).toBe(true)
        if (process.platform !== 'win32') expect((await stat(file.path)).mode & 0o777).toBe(0o600)
      }
      expect(new Set(keys.map(({ kid }) => kid)).size).toBe(4)
      const records = await recordsOf()
      expect(Object.keys(records).sort()).toEqual(keys.map(({ kid }) => kid).sort())
      for (const { kid, use } of keys) {
        const { alg, created, retires } = records[kid]!
        expect([alg, retires]).toEqual([use === 'sig' ? 'ES256' : 'ECDH-ES+A128KW', undefined])
        expect(Math.abs(Date.parse(created) - Date.now())).toBeLessThan(30_000)
      }
    },
  )

  test('creates the folder, accessible only to its owner', async () => {
    const deep = join(path, 'a', 'b')
    await generateKeys(folder({ path: deep }))
    expect((await readdir(deep)).sort()).toEqual(ALL_FILES)
    if (process.platform !== 'win32') expect((await stat(deep)).mode & 0o777).toBe(0o700)
  })

  test('reports that it cannot create a folder under a file', async () => {
    const file = join(path, 'file')
    await writeFile(file, '')
    for (const [where, code] of [
      [file, 'EEXIST'],
      [join(file, 'keys'), 'ENOTDIR'],
    ] as const) {
      expect(await problemsOf(generateKeys(folder({ path: where })))).toEqual([
        `The key folder ${where} cannot be created (${code}). Check KEYS_DIR and the permissions of its parent folder.`,
      ])
    }
  })

  test.each([
    ['sig.key', ['sig.key']],
    ['enc.key', ['enc.key']],
    ['enc.key, sig.key', ['sig.key', 'enc.key']],
    ['sig.next.key', ['sig.next.key']],
  ])('changes nothing if %s exists', async (named, present) => {
    const mine = Object.fromEntries(present.map((name) => [name, pkcs8(ecKey())]))
    await fill(path, mine)
    expect(await problemsOf(generateKeys(folder()))).toEqual([
      `There are already keys in ${path}: ${named}. Nothing was changed. To replace keys and keep everybody signed in, run \`npm run keys -- rotate\`. To start over, move the old files away first.`,
    ])
    expect(await files()).toEqual([...present].sort())
    for (const name of present) expect(await readFile(join(path, name), 'utf8')).toBe(mine[name])
  })

  test('does not overwrite a file that is not a key', async () => {
    await fill(path, { 'sig.key': 'mine' })
    expect(await problemsOf(generateKeys(folder()))).toHaveLength(1)
    expect(await files()).toEqual(['sig.key'])
    expect(await readFile(join(path, 'sig.key'), 'utf8')).toBe('mine')
  })

  test('removes the leftovers of an interrupted command', async () => {
    await mkdir(join(path, '.staged-1'))
    await fill(join(path, '.staged-1'), { 'sig.key': 'half' })
    await generateKeys(folder())
    expect(await files()).toEqual(ALL_FILES)
  })

  test('finishes an interrupted command that had committed, and then makes no keys', async () => {
    await mkdir(join(path, '.commit'))
    const manifest = '{"write":["sig.key","enc.key"],"remove":[]}'
    const [sig, enc] = [pkcs8(ecKey()), pkcs8(ecKey())]
    await fill(join(path, '.commit'), { 'sig.key': sig, 'enc.key': enc, 'manifest.json': manifest })
    expect(await problemsOf(generateKeys(folder()))).toHaveLength(1)
    expect(await readFile(join(path, 'sig.key'), 'utf8')).toBe(sig)
    expect(await files()).toEqual(['enc.key', 'sig.key'])
  })

  test('makes one pair if several commands run at once', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () => generateKeys(folder())),
    )
    const made = results.filter((result) => result.status === 'fulfilled')
    expect(made).toHaveLength(1)
    await loadKeys(folder())
    expect(await files()).toEqual(ALL_FILES)
    expect(Object.keys(await recordsOf())).toHaveLength(4)
  })

  test('is not disturbed by a server that starts meanwhile', async () => {
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
    'makes keys that can be opened or refuses the passphrase, at %i characters',
    async (length) => {
      const passphrase = 'x'.repeat(length)
      const problems = await generateKeys(folder({ passphrase })).then(
        () => undefined,
        (error: unknown) => (error as StartupError).problems,
      )
      expect(problems).toEqual(length <= 1024 ? undefined : [TOO_LONG])
      expect(await files()).toEqual(length <= 1024 ? ALL_FILES : [])
      if (length <= 1024) await loadKeys(folder({ passphrase }))
    },
  )
})

describe('generated keys load as the same keys', () => {
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
      await generateKeys(folder({ algorithms, passphrase: PASSPHRASE }))
      const { keys: made } = await readFolder(folder({ algorithms, passphrase: PASSPHRASE }))
      const loaded = await loadKeys(folder({ algorithms, passphrase: PASSPHRASE }))
      for (const use of ['sig', 'enc'] as const) {
        for (const state of ['current', 'next'] as const) {
          const { key, kid } = made.find((key) => key.use === use && key.state === state)!
          expect(loaded[use][state]!.kid).toBe(kid)
          expect(loaded[use][state]!.privateKey.equals(key)).toBe(true)
          expect(loaded[use][state]!.alg).toBe(loaded[use].current.alg)
        }
      }
      expect(loaded.sig.current.alg).toBe(algorithms.signingAlg)
      expect(loaded.enc.current.alg).toBe(algorithms.encryptionAlg)
      expect(loaded.warnings).toEqual([])
    },
  )
})

test('a key file that was moved away and restored gives the same key', async () => {
  await generateKeys(folder())
  const { sig } = await loadKeys(folder())
  const file = join(path, 'sig.key')
  const pem = await readFile(file, 'utf8')
  await rm(file)
  expect(await problemsOf(loadKeys(folder()))).toHaveLength(1)
  await fill(path, { 'sig.key': pem })
  expect((await loadKeys(folder())).sig.current.kid).toBe(sig.current.kid)
})

describe('rotate', () => {
  test.each(
    FORMS.flatMap((form) => [undefined, PASSPHRASE].map((phrase) => [form, phrase] as const)),
  )("adds what a user's two keys (%s, passphrase %s) lack", async (form, passphrase) => {
    const pems = {
      'sig.key': opensslPem(ecKey(), form, passphrase),
      'enc.key': opensslPem(ecKey(), form, passphrase),
    }
    await fill(path, pems)
    const written = new Date('2026-01-02T03:04:05Z')
    for (const name of Object.keys(pems)) await utimes(join(path, name), written, written)
    const before = await kids(folder({ passphrase }))
    expect([before.sig.slice(1), before.enc.slice(1)]).toEqual([[undefined], [undefined]])

    await rotateKeys(folder({ passphrase }), NOW, KEEP)
    const after = await kids(folder({ passphrase }))
    const [sig, enc] = [before.sig[0]!, before.enc[0]!]
    expect([after.sig.slice(2), after.enc.slice(2)]).toEqual([[sig], [enc]])
    expect(new Set([...after.sig, ...after.enc]).size).toBe(6)
    expect(await files()).toEqual([...ALL_FILES, `sig.${sig}.key`, `enc.${enc}.key`].sort())
    // The user's files are kept as they were.
    const now = await contents()
    expect(now[`sig.${sig}.key`]).toBe(pems['sig.key'])
    expect(now[`enc.${enc}.key`]).toBe(pems['enc.key'])
    const records = await recordsOf()
    const kept = { created: written.toISOString(), retires: iso(NOW + KEEP) }
    expect(records[sig]).toEqual({ alg: 'ES256', ...kept })
    expect(records[enc]).toEqual({ alg: 'ECDH-ES+A128KW', ...kept })
    expect(Object.keys(records)).toHaveLength(6)
    for (const kid of [...after.sig.slice(0, 2), ...after.enc.slice(0, 2)]) {
      expect(records[kid!]).toMatchObject({ created: iso(NOW) })
    }
    if (process.platform === 'win32') return
    for (const name of await files()) {
      expect((await stat(join(path, name))).mode & 0o777).toBe(0o600)
    }
  })

  test('makes next current and current previous, repeatedly', async () => {
    await generateKeys(folder())
    let last = await kids()
    const first = await recordsOf()
    for (let round = 0; round < 4; round++) {
      await rotateKeys(folder(), NOW + round, KEEP)
      const now = await kids()
      for (const use of ['sig', 'enc'] as const) {
        const [current, next, ...previous] = last[use]
        expect(now[use][0]).toBe(next)
        expect([...last[use]]).not.toContain(now[use][1])
        expect(now[use].slice(2).sort()).toEqual([current, ...previous].sort())
      }
      last = now
    }
    const records = await recordsOf()
    for (const kid of Object.keys(first)) {
      expect(records[kid]!.created).toBe(first[kid]!.created)
    }
    const retires = last.sig.slice(2).map((kid) => records[kid!]!.retires)
    expect(retires.sort()).toEqual([0, 1, 2, 3].map((round) => iso(NOW + round + KEEP)))
    for (const kid of [...last.sig.slice(0, 2), ...last.enc.slice(0, 2)]) {
      expect(records[kid!]!.retires).toBeUndefined()
    }
    // The age of a current key counts from its rotation, not from its publication.
    for (const use of ['sig', 'enc'] as const) {
      const [current, next, ...previous] = last[use]
      expect(records[current!]!.current_since).toBe(iso(NOW + 3))
      expect(records[next!]!.current_since).toBeUndefined()
      const since = previous.map((kid) => records[kid!]!.current_since).filter(Boolean)
      expect(since.sort()).toEqual([0, 1, 2].map((round) => iso(NOW + round)))
    }
    const { sig, enc } = await loadKeys(folder())
    expect([sig.currentSince, enc.currentSince]).toEqual([NOW + 3, NOW + 3])
  })

  test('removes keys that have retired, and no others', async () => {
    await generateKeys(folder())
    const first = await kids()
    await rotateKeys(folder(), NOW, KEEP)
    await rotateKeys(folder(), NOW + KEEP - 1, KEEP)
    const early = await kids()
    expect(early.sig.slice(2)).toHaveLength(2)
    expect(early.sig).toContain(first.sig[0])
    await rotateKeys(folder(), NOW + KEEP, KEEP)
    const late = await kids()
    for (const use of ['sig', 'enc'] as const) {
      expect(late[use]).not.toContain(first[use][0])
      expect(late[use]).toContain(first[use][1])
      expect(await files()).not.toContain(`${use}.${first[use][0]}.key`)
      expect((await recordsOf())[first[use][0]!]).toBeUndefined()
      expect((await removals())[first[use][0]!]).toBe(iso(NOW + KEEP))
    }
    expect(Object.keys(await recordsOf())).toHaveLength((await files()).length - 1)
  })

  test('gives a previous key without a record the same time as other previous keys', async () => {
    await generateKeys(folder())
    await rotateKeys(folder(), NOW, KEEP)
    await rm(join(path, 'keys.json'))
    const before = await kids()
    expect(await pruneKeys(folder(), NOW + 100 * KEEP)).toEqual([])
    await rm(join(path, 'keys.json'))
    await rotateKeys(folder(), NOW + 100 * KEEP, KEEP)
    const after = await kids()
    const records = await recordsOf()
    for (const use of ['sig', 'enc'] as const) {
      expect(after[use]).toEqual(expect.arrayContaining(before[use]))
      expect(records[before[use][2]!]!.retires).toBe(iso(NOW + 101 * KEEP))
    }
    // A later rotation does not postpone it.
    await rotateKeys(folder(), NOW + 101 * KEEP - 1, KEEP)
    expect((await kids()).sig).toContain(before.sig[2])
    await rotateKeys(folder(), NOW + 101 * KEEP, KEEP)
    expect((await kids()).sig).not.toContain(before.sig[2])
  })

  test.each(['sig.key', 'enc.key'])('changes nothing without %s', async (name) => {
    await generateKeys(folder())
    await rm(join(path, name))
    const before = await contents()
    expect(await problemsOf(rotateKeys(folder(), NOW, KEEP))).toEqual([
      `${name} is missing in ${path}. Restore it from your backup, or make keys with \`npm run keys -- generate\`.`,
    ])
    expect(await contents()).toEqual(before)
  })

  test('either succeeds or is refused when several run at once', async () => {
    await generateKeys(folder())
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () => rotateKeys(folder(), NOW, KEEP)),
    )
    const done = results.filter(({ status }) => status === 'fulfilled').length
    expect(done).toBeGreaterThan(0)
    const { sig, enc } = await kids()
    expect([sig.length, enc.length]).toEqual([2 + done, 2 + done])
    for (const result of results) {
      if (result.status === 'rejected') {
        expect(result.reason).toMatchObject({
          problems: [expect.stringMatching(/^Another command is changing /)],
        })
      }
    }
  })
})

describe('rotate to other algorithms', () => {
  const RSA: Algorithms = { ...RSA_ENCRYPTION, signingAlg: 'PS256' }

  test.each<[string, Algorithms, Algorithms]>([
    ['ES256 and P-256 to EdDSA and X25519', DEFAULTS, MODERN],
    ['EdDSA and X25519 to ES256 and P-256', MODERN, DEFAULTS],
    ['RSA to P-256', RSA, DEFAULTS],
    ['P-256 to RSA', DEFAULTS, RSA],
    ['EdDSA to Ed25519', MODERN, { ...MODERN, signingAlg: 'Ed25519' }],
    ['Ed25519 to EdDSA', { ...MODERN, signingAlg: 'Ed25519' }, MODERN],
    ['PS256 to RS256', { ...DEFAULTS, signingAlg: 'PS256' }, { ...DEFAULTS, signingAlg: 'RS256' }],
  ])('makes the new type current at once: %s', async (_name, old, fresh) => {
    await generateKeys(folder({ algorithms: old }))
    const before = await loadKeys(folder({ algorithms: old }))
    const [problem] = await problemsOf(loadKeys(folder({ algorithms: fresh })))
    expect(problem).toMatch(/npm run keys -- rotate/)

    await rotateKeys(folder({ algorithms: fresh }), NOW, KEEP)
    const after = await loadKeys(folder({ algorithms: fresh }))
    const algs = { sig: fresh.signingAlg, enc: fresh.encryptionAlg }
    for (const use of ['sig', 'enc'] as const) {
      expect([after[use].current.alg, after[use].next!.alg]).toEqual([algs[use], algs[use]])
      const [previous] = after[use].previous
      expect(previous!.kid).toBe(before[use].current.kid)
      // The algorithm that it was made for.
      expect(previous!.alg).toBe(before[use].current.alg)
    }
    if (old.signingAlg !== fresh.signingAlg) {
      expect(await files()).not.toContain(`sig.${before.sig.next!.kid}.key`)
      expect((await recordsOf())[before.sig.next!.kid]).toBeUndefined()
      expect((await removals())[before.sig.next!.kid]).toBe(iso(NOW))
    }
    expect(Object.keys(await recordsOf())).toHaveLength(6)

    // The old configuration is refused from now on, with advice.
    const problems = await problemsOf(loadKeys(folder({ algorithms: old })))
    expect(problems.length).toBeGreaterThan(0)
    for (const problem of problems) {
      expect(problem).toMatch(/ (requires|the configuration says .*)\. .*`npm run keys -- rotate`/)
    }
  })

  test('keeps every key that was current, there and back', async () => {
    await generateKeys(folder())
    const first = await kids()
    await rotateKeys(folder({ algorithms: MODERN }), NOW, KEEP)
    const second = await kids(folder({ algorithms: MODERN }))
    await rotateKeys(folder(), NOW + 1, KEEP)
    const third = await loadKeys(folder())
    expect([third.sig.current.alg, third.sig.next!.alg]).toEqual(['ES256', 'ES256'])
    const previous = Object.fromEntries(third.sig.previous.map(({ kid, alg }) => [kid, alg]))
    expect(previous).toEqual({ [first.sig[0]!]: 'ES256', [second.sig[0]!]: 'EdDSA' })
  })

  test.each<[string, Algorithms, () => string, Algorithms, string]>([
    ['P-256 to X25519', DEFAULTS, () => pkcs8(ecKey()), MODERN, 'ECDH-ES+A128KW'],
    ['RSA to P-256', RSA_ENCRYPTION, () => pkcs8(rsaKey()), DEFAULTS, 'RSA-OAEP-256'],
    ['P-256 to RSA', DEFAULTS, () => pkcs8(ecKey()), RSA_ENCRYPTION, 'ECDH-ES+A128KW'],
  ])("keeps the algorithm of a user's own key: %s", async (_name, old, pem, fresh, alg) => {
    await fill(path, { 'sig.key': pkcs8(ecKey()), 'enc.key': pem() })
    const before = await loadKeys(folder({ algorithms: old }))
    expect(before.enc.current.alg).toBe(alg)
    const algorithms = { ...fresh, signingAlg: old.signingAlg }
    await rotateKeys(folder({ algorithms }), NOW, KEEP)
    const { enc } = await loadKeys(folder({ algorithms }))
    expect(enc.previous.map(({ kid, alg }) => [kid, alg])).toEqual([[before.enc.current.kid, alg]])
  })

  test.each([
    ['with a record', () => Promise.resolve()],
    ['without a record', () => rm(join(path, 'keys.json'))],
  ])('keeps the last published algorithm of a key %s', async (_name, lose) => {
    const wider: Algorithms = { ...DEFAULTS, encryptionAlg: 'ECDH-ES+A256KW' }
    await generateKeys(folder())
    await lose()
    const before = await loadKeys(folder({ algorithms: wider }))
    expect(before.enc.current.alg).toBe('ECDH-ES+A256KW')
    await rotateKeys(folder({ algorithms: wider }), NOW, KEEP)
    const { enc } = await loadKeys(folder({ algorithms: wider }))
    expect(enc.previous[0]).toMatchObject({ kid: before.enc.current.kid, alg: 'ECDH-ES+A256KW' })
    expect((await recordsOf())[before.enc.current.kid]!.alg).toBe('ECDH-ES+A256KW')
  })
})

describe('revoke', () => {
  test('replaces every key at once, and keeps none', async () => {
    await generateKeys(folder({ passphrase: PASSPHRASE }))
    await rotateKeys(folder({ passphrase: PASSPHRASE }), NOW, KEEP)
    const before = await kids(folder({ passphrase: PASSPHRASE }))
    await revokeKeys(folder({ passphrase: PASSPHRASE }))
    const after = await kids(folder({ passphrase: PASSPHRASE }))
    const all = [...before.sig, ...before.enc, ...after.sig, ...after.enc]
    expect(new Set(all).size).toBe(all.length)
    expect(await files()).toEqual(ALL_FILES)
    expect(Object.keys(await recordsOf()).sort()).toEqual([...after.sig, ...after.enc].sort())
    expect(Object.keys(await removals()).sort()).toEqual([...before.sig, ...before.enc].sort())
  })
})

describe('prune', () => {
  test('removes retired keys and lists them, and removes no others', async () => {
    await generateKeys(folder())
    await rotateKeys(folder(), NOW, KEEP)
    const before = [await files(), await recordsOf()]
    const { sig, enc } = await kids()
    expect(await pruneKeys(folder(), NOW + KEEP - 1)).toEqual([])
    expect([await files(), await recordsOf()]).toEqual(before)
    expect((await pruneKeys(folder(), NOW + KEEP)).sort()).toEqual([sig[2], enc[2]].sort())
    expect(await kids()).toEqual({ sig: sig.slice(0, 2), enc: enc.slice(0, 2) })
    expect(await files()).toEqual(ALL_FILES)
    expect(Object.keys(await recordsOf())).toHaveLength(4)
    expect(await removals()).toEqual({
      [sig[2]!]: iso(NOW + KEEP),
      [enc[2]!]: iso(NOW + KEEP),
    })
  })
})

describe('changing the passphrase', () => {
  test.each([undefined, 'old'])('re-encrypts every key that had the passphrase %s', async (old) => {
    await generateKeys(folder({ passphrase: old }))
    await rotateKeys(folder({ passphrase: old }), NOW, KEEP)
    const before = await kids(folder({ passphrase: old }))
    const records = await recordsOf()
    await changePassphrase(folder({ passphrase: old }), 'new')
    expect(await kids(folder({ passphrase: 'new' }))).toEqual(before)
    expect(await recordsOf()).toEqual(records)
    expect(
      (await readFolder(folder({ passphrase: 'new' }))).keys.map((key) => key.encrypted),
    ).toEqual(Array(6).fill(true))
    expect(await problemsOf(loadKeys(folder({ passphrase: old })))).toHaveLength(6)
  })

  test("keeps the age that a user's own files had", async () => {
    await fill(path, { 'sig.key': pkcs8(ecKey()), 'enc.key': pkcs8(ecKey()) })
    const written = new Date('2026-01-02T03:04:05Z')
    await utimes(join(path, 'sig.key'), written, written)
    await changePassphrase(folder(), 'new')
    const { sig } = await loadKeys(folder({ passphrase: 'new' }))
    expect(sig.currentSince).toBe(written.getTime())
  })

  test.each<[string, () => Promise<unknown>]>([
    [
      'to one that is too long',
      () => changePassphrase(folder({ passphrase: 'old' }), 'x'.repeat(1025)),
    ],
    ['with a wrong old passphrase', () => changePassphrase(folder({ passphrase: 'no' }), 'new')],
    ['without the old passphrase', () => changePassphrase(folder(), 'new')],
  ])('%s changes nothing', async (_name, work) => {
    await generateKeys(folder({ passphrase: 'old' }))
    const before = await contents()
    expect((await problemsOf(work())).length).toBeGreaterThan(0)
    expect(await contents()).toEqual(before)
  })

  test('changes nothing if a key is damaged', async () => {
    await generateKeys(folder({ passphrase: 'old' }))
    await fill(path, { 'enc.next.key': 'damaged' })
    const before = await contents()
    expect(await problemsOf(changePassphrase(folder({ passphrase: 'old' }), 'new'))).toHaveLength(1)
    expect(await contents()).toEqual(before)
  })
})

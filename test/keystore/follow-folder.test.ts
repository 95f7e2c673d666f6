import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  changePassphrase,
  generateKeys,
  pruneKeys,
  rotateKeys,
} from '../../server/commands/keys/folder-changes.ts'
import type { KeyFolder } from '../../server/keystore/folder.ts'
import { followFolder } from '../../server/keystore/follow-folder.ts'
import { readRecords } from '../../server/keystore/key-records.ts'
import { loadKeys } from '../../server/keystore/key-set.ts'
import { createKeystore, type Keystore } from '../../server/keystore/keystore.ts'
import { createLogger } from '../../server/log/logger.ts'
import { CHEAP_SCRYPT } from '../support/scrypt.ts'
import { fakeIntervals } from '../support/timers.ts'
import { DEFAULTS, emptyFolder, fill } from './fixtures.ts'

/** Milliseconds for which a previous key is kept. */
const KEEP = 3_600_000
/** Milliseconds between two polls. */
const INTERVAL = 1000
/** Milliseconds between two searches for unknown kids. */
const COOL_DOWN = 5000

let folder: KeyFolder
const following: { keystore: Keystore; follower: ReturnType<typeof followFolder> }[] = []
/** Milliseconds that their clock is ahead. */
let ahead: number
beforeEach(async () => {
  fakeIntervals()
  ahead = 0
  folder = {
    path: await emptyFolder(),
    passphrase: undefined,
    algorithms: DEFAULTS,
    scryptCost: CHEAP_SCRYPT,
  }
  await generateKeys(folder)
})
afterEach(() => {
  for (const { follower } of following.splice(0)) follower.stop()
  jest.useRealTimers()
})

async function follow(loaded = loadKeys(folder), clock = () => Date.now() + ahead) {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read what should be there
  const logs: any[] = []
  const logger = createLogger('trace', { write: (line) => void logs.push(JSON.parse(line)) })
  const keys = await loaded
  const keystore = createKeystore(keys)
  const { fingerprint } = keys
  const follower = followFolder(keystore, logger, { folder, fingerprint }, clock)
  following.push({ keystore, follower })
  return { keystore, follower, logs }
}

/** Lets one poll run, and what follows from it. */
async function poll(): Promise<void> {
  jest.advanceTimersByTime(INTERVAL)
  await delay(20)
}

async function polls(): Promise<void> {
  for (let count = 0; count < 3; count++) await poll()
}

/** Polls until `holds` is true. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await poll()
}

/** Searches for an unknown kid, which waits for the polls before it. */
const search = (keystore: Keystore) =>
  Promise.resolve(keystore.verificationKey('x')).catch(() => undefined)

/** Waits until the follower has noticed every change, and no poll is running. */
async function settled(): Promise<void> {
  await polls()
  ahead += COOL_DOWN
  await Promise.all(following.map(({ keystore }) => search(keystore)))
}

const rotate = () => rotateKeys(folder, Date.now(), KEEP)
const errors = (logs: { level: string }[]) => logs.filter(({ level }) => level === 'error')

test('notices a change, and logs the keys added and removed', async () => {
  const before = await loadKeys(folder)
  const { keystore, logs } = await follow()
  await settled()
  expect(logs).toEqual([])
  await rotate()
  const after = await loadKeys(folder)
  await until(() => keystore.signingKey.kid === after.sig.current.kid)
  expect(keystore.encryptionKey.kid).toBe(after.enc.current.kid)
  const old = await keystore.verificationKey(before.sig.current.kid)
  expect(old?.kid).toBe(before.sig.current.kid)
  await until(() => logs.length > 0)
  expect(logs).toEqual([
    expect.objectContaining({
      level: 'info',
      msg: 'keys loaded',
      added: [after.sig.next!.kid, after.enc.next!.kid],
      removed: [],
    }),
  ])

  const gone = [before.sig.current.kid, before.enc.current.kid]
  await pruneKeys(folder, Date.now() + 2 * KEEP)
  await until(() => logs.length > 1)
  expect(logs[1]).toMatchObject({ added: [], removed: gone })
  expect(await keystore.verificationKey(gone[0]!)).toBeUndefined()
})

test('notices a change between loading the keys and following the folder', async () => {
  const loaded = loadKeys(folder)
  await loaded
  await rotate()
  const { keystore } = await follow(loaded)
  const { sig } = await loadKeys(folder)
  await until(() => keystore.signingKey.kid === sig.current.kid)
})

test('logs a bug once with its cause, and keeps the keys', async () => {
  const { keystore, logs } = await follow()
  await settled()
  const { kid } = keystore.signingKey
  const fault = new Error('out of order')
  let failures = 0
  keystore.replace = () => {
    failures += 1
    throw fault
  }
  await rotate()
  await until(() => failures > 2)
  expect(errors(logs)).toEqual([
    expect.objectContaining({
      problems: ['Error: out of order'],
      err: expect.objectContaining({ message: 'out of order', stack: expect.any(String) }),
    }),
  ])
  expect(keystore.signingKey.kid).toBe(kid)
})

test('logs an unusable folder once, keeps the keys, and loads the folder after its repair', async () => {
  const before = await loadKeys(folder)
  const { keystore, logs } = await follow()
  await settled()
  await rename(join(folder.path, 'sig.key'), join(folder.path, 'away'))
  await until(() => errors(logs).length > 0)
  await settled()
  expect(errors(logs)).toEqual([
    expect.objectContaining({
      msg: 'The key folder cannot be used. The keys loaded before stay in use. If the configuration has changed, restart the server.',
      problems: [expect.stringMatching(/sig\.key is missing/)],
    }),
  ])
  expect(keystore.signingKey.kid).toBe(before.sig.current.kid)

  await rename(join(folder.path, 'away'), join(folder.path, 'sig.key'))
  await rotate()
  const after = await loadKeys(folder)
  await until(() => keystore.signingKey.kid === after.sig.current.kid)
  expect(errors(logs)).toHaveLength(1)
})

test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    'a damaged key',
    () => fill(folder.path, { 'enc.next.key': 'x' }),
    /enc\.next\.key has no private key/,
  ],
  ['a missing folder', () => rm(folder.path, { recursive: true }), /^There are no keys in /],
  [
    'another passphrase',
    () => changePassphrase(folder, 'new'),
    /protected by a passphrase, but PRIVATE_KEY_PASSPHRASE is not set/,
  ],
])('logs %s once, and keeps the keys', async (_name, damage, sentence) => {
  const { keystore, logs } = await follow()
  await settled()
  const kept = keystore.jwks
  await damage()
  await until(() => errors(logs).length > 0)
  await settled()
  expect(errors(logs)).toHaveLength(1)
  expect(errors(logs)[0]).toMatchObject({
    problems: expect.arrayContaining([expect.stringMatching(sentence)]),
  })
  expect(keystore.jwks).toBe(kept)
})

test('logs a file in place of the folder once, and loads the folder when it is back', async () => {
  const { keystore, logs } = await follow()
  await settled()
  await rename(folder.path, `${folder.path}-away`)
  await writeFile(folder.path, '')
  await until(() => errors(logs).length > 0)
  await settled()
  expect(errors(logs)).toHaveLength(1)
  await rm(folder.path)
  await rename(`${folder.path}-away`, folder.path)
  await rotate()
  const { sig } = await loadKeys(folder)
  await until(() => keystore.signingKey.kid === sig.current.kid)
})

test('loads damaged records after their repair', async () => {
  const { keystore, logs } = await follow()
  await settled()
  await rotate()
  const { sig } = await loadKeys(folder)
  await until(() => keystore.signingKey.kid === sig.current.kid)
  await rename(join(folder.path, 'keys.json'), join(folder.path, 'away'))
  await fill(folder.path, { 'keys.json': '{' })
  await until(() => errors(logs).length > 0)
  expect(errors(logs)[0]).toMatchObject({ problems: [expect.stringContaining('keys.json is')] })
  // A key changes while they are damaged.
  await rename(join(folder.path, 'enc.next.key'), join(folder.path, 'next-away'))
  await rename(join(folder.path, 'away'), join(folder.path, 'keys.json'))
  await until(() => keystore.jwks.keys.length === 5)
})

test('tries again after a fault that the fingerprint does not show, and logs it again if it returns', async () => {
  const { follower, logs } = await follow()
  await settled()
  const commit = join(folder.path, '.commit')
  for (const times of [1, 2]) {
    // Not part of the fingerprint, so only another try shows that it is gone.
    await mkdir(commit)
    await fill(commit, { 'manifest.json': '{' })
    await follower.reload()
    expect(errors(logs)).toHaveLength(times)
    await rm(commit, { recursive: true })
    const taken = (): unknown[] => logs.filter(({ msg }) => msg === 'keys loaded')
    await until(() => taken().length === times)
    await settled()
    expect([errors(logs).length, taken().length]).toEqual([times, times])
  }
})

test('logs a different fault, too', async () => {
  const { logs } = await follow()
  await settled()
  await fill(folder.path, { 'enc.next.key': 'x' })
  await until(() => errors(logs).length === 1)
  await fill(folder.path, { 'sig.next.key': 'x' })
  await until(() => errors(logs).length === 2)
  expect(errors(logs)[1]).toMatchObject({ problems: Array(2).fill(expect.any(String)) })
})

test('drops a key if only its record changes and says that it has retired', async () => {
  await rotate()
  const { keystore, logs } = await follow()
  await settled()
  expect([keystore.jwks.keys.length, logs]).toEqual([6, []])
  const records = Object.entries(await readRecords(folder.path))
  const past = records.map(([kid, { retires, ...record }]) => [
    kid,
    { ...record, ...(retires === undefined ? {} : { retires: record.created }) },
  ])
  await fill(folder.path, { 'keys.json': JSON.stringify(Object.fromEntries(past)) })
  await until(() => keystore.jwks.keys.length === 4)
})

test('two keystores on one folder both follow', async () => {
  const [one, other] = [await follow(), await follow()]
  for (let round = 0; round < 2; round++) {
    await settled()
    await rotate()
    const { sig, enc } = await loadKeys(folder)
    for (const { keystore } of [one, other]) {
      await until(() => keystore.signingKey.kid === sig.current.kid)
      expect(keystore.encryptionKey.kid).toBe(enc.current.kid)
    }
  }
  expect([...errors(one.logs), ...errors(other.logs)]).toEqual([])
})

test('loads a change that was interrupted after its commit and finished by a reader', async () => {
  const { keystore, logs } = await follow()
  await settled()
  const other: KeyFolder = { ...folder, path: await emptyFolder() }
  await generateKeys(other)
  await rename(other.path, join(folder.path, '.staged'))
  await writeFile(
    join(folder.path, '.staged', 'manifest.json'),
    JSON.stringify({
      write: ['sig.key', 'sig.next.key', 'enc.key', 'enc.next.key', 'keys.json'],
      remove: [],
    }),
  )
  const { size } = new Set(keystore.jwks.keys)
  await rename(join(folder.path, '.staged'), join(folder.path, '.commit'))
  // The key files have not changed yet: a reader finishes the change.
  await loadKeys(folder)
  const { sig } = await loadKeys(folder)
  await until(() => keystore.signingKey.kid === sig.current.kid)
  expect([size, errors(logs)]).toEqual([4, []])
})

test('reload() reads the folder at once and logs each time, but logs a fault once', async () => {
  const { keystore, follower, logs } = await follow()
  await rotate()
  const { sig } = await loadKeys(folder)
  await follower.reload()
  expect(keystore.signingKey.kid).toBe(sig.current.kid)
  await follower.reload()
  expect(logs.at(-1)).toMatchObject({ msg: 'keys loaded', added: [], removed: [] })
  await rm(join(folder.path, 'enc.key'))
  await follower.reload()
  await follower.reload()
  expect(errors(logs)).toHaveLength(1)
  expect(keystore.signingKey.kid).toBe(sig.current.kid)
})

test('logs an unexpected fault, and keeps following the folder', async () => {
  const { keystore, follower, logs } = await follow()
  await mkdir(join(folder.path, '.commit'))
  await fill(join(folder.path, '.commit'), { 'manifest.json': '{' })
  await follower.reload()
  expect(errors(logs)).toHaveLength(1)
  await rm(join(folder.path, '.commit'), { recursive: true })
  await rotate()
  const { sig } = await loadKeys(folder)
  await until(() => keystore.signingKey.kid === sig.current.kid)
})

test('notices nothing after stop()', async () => {
  const { keystore, follower, logs } = await follow()
  await settled()
  follower.stop()
  const { kid } = keystore.signingKey
  await rotate()
  await polls()
  expect([keystore.signingKey.kid, logs]).toEqual([kid, []])
})

describe('an unknown kid', () => {
  async function followUnpolled() {
    let now = 0
    const { keystore, follower, logs } = await follow(loadKeys(folder), () => now)
    // After the first check of the follower itself.
    await search(keystore)
    now += COOL_DOWN
    return { keystore, follower, logs, pass: (ms: number) => void (now += ms) }
  }
  const twice = async () => {
    await rotate()
    await rotate()
    return loadKeys(folder)
  }

  test('is looked for in the folder, without waiting for the next poll', async () => {
    const { keystore } = await followUnpolled()
    const { sig, enc } = await twice()
    expect((await keystore.verificationKey(sig.current.kid))?.kid).toBe(sig.current.kid)
    expect((await keystore.decryptionKey(enc.current.kid))?.kid).toBe(enc.current.kid)
  })

  test('is searched for once in five seconds, and concurrent callers share the search', async () => {
    const { keystore, logs, pass } = await followUnpolled()
    const first = await twice()
    const found = await Promise.all([
      keystore.verificationKey(first.sig.current.kid),
      keystore.verificationKey(first.sig.next!.kid),
    ])
    expect(found.map((key) => key?.kid)).toEqual([first.sig.current.kid, first.sig.next!.kid])
    expect(logs).toHaveLength(1)

    const second = await twice()
    const { kid } = second.sig.current
    pass(4999)
    expect(await keystore.verificationKey(kid)).toBeUndefined()
    pass(1)
    expect((await keystore.verificationKey(kid))?.kid).toBe(kid)
  })

  test('is unavailable while the folder cannot be used', async () => {
    const { keystore, logs, pass } = await followUnpolled()
    const { kid } = (await twice()).sig.current
    await rename(folder.path, `${folder.path}-away`)
    for (let tries = 0; tries < 2; tries++) {
      await expect(keystore.verificationKey(kid)).rejects.toMatchObject({
        name: 'UnavailableError',
        retryAfter: 5,
      })
    }
    expect(errors(logs)).toHaveLength(1)
    await rename(`${folder.path}-away`, folder.path)
    pass(5000)
    expect((await keystore.verificationKey(kid))?.kid).toBe(kid)
  })
})

import { beforeEach, describe, expect, test } from '@jest/globals'
import { readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { generateKeys, revokeKeys, rotateKeys } from '../../server/commands/keys/folder-changes.ts'
import { fingerprint, readFolder, type KeyFolder } from '../../server/keystore/folder.ts'
import { loadKeys } from '../../server/keystore/key-set.ts'
import { OpenedKeys } from '../../server/keystore/read-key.ts'
import { keyFileName } from '../../server/keystore/stored-key.ts'
import { DEFAULTS, ecKey, emptyFolder, fill, pkcs8, problemsOf } from './fixtures.ts'

let path: string
let folder: KeyFolder
beforeEach(async () => {
  path = await emptyFolder()
  folder = { path, passphrase: undefined, algorithms: DEFAULTS }
})

test('a file is named after its use and state, a previous one after its thumbprint', () => {
  expect(keyFileName('sig', 'current')).toBe('sig.key')
  expect(keyFileName('enc', 'next')).toBe('enc.next.key')
  expect(keyFileName('sig', 'previous', 'kid')).toBe('sig.kid.key')
})

describe('reading', () => {
  test('a missing or empty folder has no keys', async () => {
    for (const where of [join(path, 'missing'), path]) {
      expect(await readFolder({ ...folder, path: where })).toEqual({
        keys: [],
        removed: {},
        missing: {},
        fingerprint: await fingerprint(where),
      })
    }
  })

  test('returns each key with its state, and skips other files', async () => {
    await generateKeys(folder)
    await rotateKeys(folder, Date.now(), 1000)
    const others = ['sig.old.key', 'SIG.KEY', 'sig.key.bak', 'other.key', 'sig.pem', 'enc..key']
    await fill(path, Object.fromEntries(others.map((name) => [name, 'not read'])))
    const { keys, fingerprint: read } = await readFolder(folder)
    expect(read).toBe(await fingerprint(path))
    expect(keys.map(({ use, state }) => `${use} ${state}`).sort()).toEqual([
      'enc current',
      'enc next',
      'enc previous',
      'sig current',
      'sig next',
      'sig previous',
    ])
    for (const { use, state, name, kid, path: file, pem } of keys) {
      expect(name).toBe(keyFileName(use, state, kid))
      expect(file).toBe(join(path, name))
      expect(pem).toBe(await readFile(file, 'utf8'))
    }
  })

  test('a previous file that is not named after its key is reported', async () => {
    await generateKeys(folder)
    const name = `sig.${'x'.repeat(43)}.key`
    await fill(path, { [name]: pkcs8(ecKey()) })
    const sentence = `${join(path, name)} does not contain the key that it is named after. Restore it from your backup, or delete it.`
    expect(await problemsOf(readFolder(folder))).toEqual([sentence])
    expect(await problemsOf(loadKeys(folder))).toEqual([sentence])
  })

  test('two previous files that were swapped are both reported', async () => {
    await generateKeys(folder)
    await rotateKeys(folder, Date.now(), 1000)
    await rotateKeys(folder, Date.now(), 1000)
    const [one, other] = (await readdir(path)).filter((name) => /^sig\.[\w-]{43}\.key$/.test(name))
    await rename(join(path, one!), join(path, 'swap'))
    await rename(join(path, other!), join(path, one!))
    await rename(join(path, 'swap'), join(path, other!))
    expect(await problemsOf(loadKeys(folder))).toHaveLength(2)
  })

  test('opens only the files that have changed, and forgets those that are gone', async () => {
    const opened = new OpenedKeys()
    const remembering = { ...folder, opened }
    await generateKeys(folder)
    expect(opened.isEmpty).toBe(true)
    const before = await loadKeys(remembering)
    expect((await loadKeys(remembering)).sig.current.privateKey).toBe(before.sig.current.privateKey)
    await rotateKeys(folder, Date.now(), 1000)
    const after = await loadKeys(remembering)
    // The same text under another name.
    expect(after.sig.current.privateKey).toBe(before.sig.next!.privateKey)
    expect(after.sig.previous[0]!.privateKey).toBe(before.sig.current.privateKey)

    const pem = await readFile(join(path, 'sig.key'), 'utf8')
    await revokeKeys(folder)
    const fresh = await loadKeys(remembering)
    expect(fresh.sig.current.kid).not.toBe(after.sig.current.kid)
    expect((await opened.open(pem, undefined)).key).not.toBe(after.sig.current.privateKey)
  })

  test('opens changed files one by one while a server runs', async () => {
    let underWay = 0
    const most: number[] = []
    class Slow extends OpenedKeys {
      override async open(pem: string, passphrase: string | undefined) {
        most.push(++underWay)
        await setImmediate()
        underWay--
        return super.open(pem, passphrase)
      }
    }
    const opened = new Slow()
    await generateKeys(folder)
    await loadKeys({ ...folder, opened })
    expect(most).toHaveLength(4)
    await revokeKeys(folder)
    most.length = 0
    await loadKeys({ ...folder, opened })
    expect(most).toEqual([1, 1, 1, 1])
  })

  test('reads one state of a folder that is being changed, never a mixture', async () => {
    await generateKeys(folder)
    const done = new AbortController()
    const rotations = (async () => {
      for (let round = 0; round < 15; round++) await rotateKeys(folder, Date.now(), -1)
      done.abort()
    })()
    let reads = 0
    const chain = new Map<string, string>()
    const pairs = new Map<string, string>()
    while (!done.signal.aborted) {
      const { sig, enc } = await loadKeys(folder)
      reads++
      // Every current key has always the same next one, and the same partner.
      const known = chain.get(sig.current.kid) ?? sig.next!.kid
      const partner = pairs.get(sig.current.kid) ?? enc.current.kid
      expect([sig.next!.kid, enc.current.kid]).toEqual([known, partner])
      chain.set(sig.current.kid, known)
      pairs.set(sig.current.kid, partner)
    }
    await rotations
    expect(reads).toBeGreaterThan(5)
  })
})

describe('a fingerprint', () => {
  test('stays the same while no key changes, whatever other files there are', async () => {
    expect(await fingerprint(join(path, 'missing'))).toBe(await fingerprint(path))
    await generateKeys(folder)
    const before = await fingerprint(path)
    await fill(path, { 'notes.txt': 'x' })
    await readFolder(folder)
    expect(await fingerprint(path)).toBe(before)
  })

  test.each<[string, () => Promise<unknown>]>([
    ['replaced', () => fill(path, { 'sig.key': pkcs8(ecKey('P-384')) })],
    ['touched', () => utimes(join(path, 'sig.key'), 1, 1)],
    ['removed', () => rm(join(path, 'enc.next.key'))],
    ['added', () => fill(path, { [`sig.${'x'.repeat(43)}.key`]: '' })],
    ['renamed', () => rename(join(path, 'sig.key'), join(path, `sig.${'x'.repeat(43)}.key`))],
    ['rotated', () => rotateKeys(folder, Date.now(), 1000)],
    ['dropped from the records', () => fill(path, { 'keys.json': '{}' })],
    ['left without records', () => rm(join(path, 'keys.json'))],
  ])('changes when a key is %s', async (_name, work) => {
    await generateKeys(folder)
    const before = await fingerprint(path)
    await work()
    expect(await fingerprint(path)).not.toBe(before)
  })

  test('of anything but a folder is refused', async () => {
    await writeFile(join(path, 'file'), '')
    expect(await problemsOf(fingerprint(join(path, 'file')))).toEqual([
      `The key folder ${join(path, 'file')} cannot be read (ENOTDIR). Check KEYS_DIR and the permissions of the folder.`,
    ])
  })
})

test('currentSince is the time at which a key was created or promoted', async () => {
  await generateKeys(folder)
  const now = Date.now() + 5000
  const made = (await readFolder(folder)).keys
  for (const { createdAt, currentSince } of made) expect(currentSince).toBe(createdAt)
  await rotateKeys(folder, now, 1000)
  const { keys } = await readFolder(folder)
  const current = keys.filter(({ state }) => state === 'current')
  expect(current.map(({ currentSince }) => currentSince)).toEqual([now, now])
  for (const { kid, createdAt } of current) {
    expect(createdAt).toBe(made.find((key) => key.kid === kid)!.createdAt)
  }
})

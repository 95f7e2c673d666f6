import { beforeEach, describe, expect, test } from '@jest/globals'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../../server/config/config.ts'
import { generateKeys } from '../../../server/commands/keys/folder-changes.ts'
import { readFolder } from '../../../server/keystore/folder.ts'
import type { KeyDescription } from '../../../server/commands/keys/key-list.ts'
import { readRecords } from '../../../server/keystore/key-records.ts'
import { loadKeys } from '../../../server/keystore/key-set.ts'
import { keysCommand } from '../../../server/commands/keys/keys-command.ts'
import { testConfig } from '../../support/config.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'
import {
  DEFAULTS,
  ecKey,
  emptyFolder,
  fill,
  MODERN,
  PASSPHRASE,
  person,
  pkcs8,
  problemsOf,
  RSA_ENCRYPTION,
} from '../../keystore/fixtures.ts'

let keysDir: string
beforeEach(async () => {
  keysDir = await emptyFolder()
})

interface Circumstances {
  readonly passphrase?: string | undefined
  readonly newPassphrase?: string
  readonly importPassphrase?: string
  readonly answers?: readonly string[]
  readonly config?: Partial<Config>
}

async function run(args: string[], circumstances: Circumstances = {}) {
  const { passphrase, newPassphrase, importPassphrase, ...rest } = circumstances
  const somebody = person(...(rest.answers ?? []))
  const config = {
    ...testConfig({
      keysDir,
      privateKeyPassphrase: passphrase,
      algorithms: DEFAULTS,
      ...rest.config,
    }),
    scryptCost: CHEAP_SCRYPT,
  }
  const code = await keysCommand(args, config, somebody.terminal, {
    fresh: newPassphrase,
    imported: importPassphrase,
  })
  const { printed, noted, asked } = somebody
  return { code, lines: printed, text: printed.join('\n'), noted, asked }
}
const json = async (args: string[], circumstances?: Circumstances) => {
  const { code, lines } = await run([...args, '--json'], circumstances)
  expect([code, lines.length]).toEqual([0, 1])
  return JSON.parse(lines[0]!) as KeyDescription[]
}

const loaded = (passphrase?: string) =>
  loadKeys({ path: keysDir, passphrase, algorithms: DEFAULTS })
const states = (keys: KeyDescription[]) => keys.map(({ use, state }) => `${use} ${state}`)
const contents = async () =>
  Promise.all(
    (await readdir(keysDir))
      .sort()
      .map(async (name) => [name, await readFile(join(keysDir, name), 'utf8')]),
  )

const FOUR = ['sig current', 'sig next', 'enc current', 'enc next']

test('generate makes the keys, prints them, and says what to do next', async () => {
  const { code, lines, noted, asked } = await run(['generate'], { passphrase: PASSPHRASE })
  expect([code, asked]).toEqual([0, []])
  expect(noted).toEqual([
    'Back them up. Set PRESERVE_SESSIONS_ON_REBOOT=1 so that the server uses them.',
  ])
  const { sig, enc } = await loaded(PASSPHRASE)
  const row = (kid: string, file: string, ...columns: string[]) =>
    expect.stringMatching(
      new RegExp(
        `^${[kid, ...columns].join(' +')} +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d +- +${file}$`,
      ),
    )
  expect(lines).toEqual([
    expect.stringMatching(/^kid +use +algorithm +curve +state +created +retires +file$/),
    row(sig.current.kid, 'sig\\.key', 'sig', 'ES256', 'P-256', 'current'),
    row(sig.next!.kid, 'sig\\.next\\.key', 'sig', 'ES256', 'P-256', 'next'),
    row(enc.current.kid, 'enc\\.key', 'enc', 'ECDH-ES\\+A128KW', 'P-256', 'current'),
    row(enc.next!.kid, 'enc\\.next\\.key', 'enc', 'ECDH-ES\\+A128KW', 'P-256', 'next'),
  ])
})

test('generate does not mention variables that are already set', async () => {
  const { noted } = await run(['generate'], {
    passphrase: PASSPHRASE,
    config: { preserveSessions: true },
  })
  expect(noted).toEqual(['Back them up.'])
})

test('list prints the same keys', async () => {
  const made = await run(['generate'], { passphrase: PASSPHRASE })
  const listed = await run(['list'], { passphrase: PASSPHRASE })
  expect(listed.code).toBe(0)
  expect([listed.lines, listed.noted]).toEqual([made.lines, []])
})

test.each([
  [['list']],
  [['list', '--json']],
  [['rotate']],
  [['rotate', '--revoke']],
  [['prune']],
  [['passphrase']],
  [['import', '--use', 'sig', 'FILE']],
])('%j without keys fails, asks nothing and creates nothing', async (args) => {
  for (const path of [keysDir, join(keysDir, 'missing')]) {
    const somebody = person('x', 'x')
    const work = keysCommand(args, testConfig({ keysDir: path }), somebody.terminal)
    expect(await problemsOf(work)).toEqual([
      `There are no keys in ${path}. Make them with \`npm run keys -- generate\`.`,
    ])
    const { printed, noted, asked } = somebody
    expect([printed, noted, asked]).toEqual([[], [], []])
  }
  expect(await readdir(keysDir)).toEqual([])
})

test('list finishes an interrupted generate', async () => {
  const other = await emptyFolder()
  await run(['generate'], { config: { keysDir: other } })
  const write = await readdir(other)
  await fill(other, { 'manifest.json': JSON.stringify({ write, remove: [] }) })
  await rename(other, join(keysDir, '.commit'))
  expect(states(await json(['list']))).toEqual(FOUR)
})

test.each(['change-me', 'change-me-please', 'CHANGE-ME'])(
  'generate refuses the placeholder passphrase %s',
  async (passphrase) => {
    expect(await problemsOf(run(['generate'], { passphrase }))).toEqual([
      'PRIVATE_KEY_PASSPHRASE still has the placeholder from .env.example, which everybody knows. Set your own value.',
    ])
    expect(await readdir(keysDir)).toEqual([])
  },
)

test('keys with the placeholder passphrase can be moved to another one', async () => {
  const folder = { path: keysDir, passphrase: 'change-me', algorithms: DEFAULTS }
  await generateKeys(folder)
  const { code } = await run(['passphrase'], { passphrase: 'change-me', newPassphrase: 'new' })
  expect(code).toBe(0)
  await loaded('new')
})

test('list prints keys that do not match the configuration', async () => {
  await run(['generate'])
  const keys = await json(['list'], { config: { algorithms: MODERN } })
  expect(keys.map(({ alg }) => alg)).toContain('ES256')
})

test('rotate moves every key one step, and keeps the old ones for REFRESH_TOKEN_TTL and an hour', async () => {
  const before = await json(['generate'])
  expect(states(before)).toEqual(FOUR)
  const begun = Date.now()
  const after = await json(['rotate'], { config: { refreshTokenTtl: 1000 } })
  expect(states(after)).toEqual([
    'sig current',
    'sig next',
    'sig previous',
    'enc current',
    'enc next',
    'enc previous',
  ])
  for (const use of ['sig', 'enc'] as const) {
    const kid = (keys: KeyDescription[], state: string) =>
      keys.find((key) => key.use === use && key.state === state)!.kid
    expect(kid(after, 'current')).toBe(kid(before, 'next'))
    expect(kid(after, 'previous')).toBe(kid(before, 'current'))
  }
  const previous = after.filter(({ state }) => state === 'previous')
  for (const { retires } of previous) {
    const kept = Date.parse(retires!) - begun
    expect(kept).toBeGreaterThanOrEqual((1000 + 3600) * 1000)
    expect(kept).toBeLessThan((1000 + 3600 + 30) * 1000)
  }
  const { noted } = await run(['rotate'])
  expect(noted).toEqual([
    'A running server loads the new keys within a second or two. After a change of the algorithm or the curve, restart it.',
  ])
})

describe('after a change of the curve, rotate warns when key-bound clients have to sign in again', () => {
  const on = (encryptionCrv: 'P-256' | 'P-384' | 'X25519') => ({
    config: { algorithms: { ...DEFAULTS, encryptionCrv } },
  })
  const warnings = ({ noted }: { noted: string[] }) =>
    noted.filter((line) => line.includes('key-bound'))
  const warning = (crv: string, retires: string | null | undefined) =>
    `Warning: clients with key-bound tokens on ${crv} have to sign in again, with a new key, once the last encryption key on that curve retires (${retires}).`
  const retirement = async (curve: string) =>
    (await json(['list']))
      .filter(({ use, state, crv }) => use === 'enc' && state === 'previous' && crv === curve)
      .map(({ retires }) => retires)
      .sort()
      .at(-1)

  test('for each earlier curve, at each rotation', async () => {
    await run(['generate'])
    expect(warnings(await run(['rotate']))).toEqual([])
    for (let round = 0; round < 2; round++) {
      const rotated = await run(['rotate'], on('P-384'))
      expect(warnings(rotated)).toEqual([warning('P-256', await retirement('P-256'))])
    }
    const again = await run(['rotate'], on('X25519'))
    expect(warnings(again).sort()).toEqual([
      warning('P-256', await retirement('P-256')),
      warning('P-384', await retirement('P-384')),
    ])
  })

  test('only while a key on another curve is kept', async () => {
    await run(['generate'])
    await run(['rotate'], on('P-384'))
    expect(warnings(await run(['rotate', '--revoke'], on('P-384')))).toEqual([])
    await run(['rotate'])
    expect(warnings(await run(['rotate'], on('P-384')))).toHaveLength(1)
    expect(warnings(await run(['rotate']))[0]).toMatch('P-384')
  })
})

test('rotate --revoke replaces every key and keeps none', async () => {
  const before = await json(['generate'])
  await run(['rotate'])
  const after = await json(['rotate', '--revoke'])
  expect(states(after)).toEqual(FOUR)
  const kids = new Set([...before, ...after].map(({ kid }) => kid))
  expect(kids.size).toBe(8)
  const { noted } = await run(['rotate', '--revoke'])
  expect(noted).toEqual([
    expect.stringMatching(/^Every key was replaced\. Everybody is signed out /),
  ])
})

test('prune prints the kids of the removed keys', async () => {
  await run(['generate'])
  await run(['rotate'])
  const none = await run(['prune'])
  expect([none.code, none.noted]).toEqual([0, ['No key has retired. Nothing was removed.']])
  const { sig, enc } = await loaded()
  const kids = [sig, enc].map(({ previous }) => previous[0]!.kid)
  const records = await readRecords(keysDir)
  const retired = Object.fromEntries(
    Object.entries(records).map(([kid, record]) => [
      kid,
      record.retires === undefined ? record : { ...record, retires: '2026-01-01T00:00:00Z' },
    ]),
  )
  await writeFile(join(keysDir, 'keys.json'), JSON.stringify(retired))
  const some = await run(['prune'])
  expect(some.code).toBe(0)
  const [, removed] = /^Removed: (.*)\.$/.exec(some.noted.join('\n'))!
  expect(removed!.split(', ').sort()).toEqual(kids.sort())
  expect(states(await json(['list']))).toEqual(FOUR)
  expect(states(await json(['prune']))).toEqual(FOUR)
})

describe('passphrase', () => {
  test('asks for the new passphrase twice, and prints the keys', async () => {
    await run(['generate'])
    const fresh = 'a new passphrase'
    const answers = [fresh, fresh]
    const { code, lines, noted, asked } = await run(['passphrase'], { answers })
    expect(code).toBe(0)
    expect(asked).toEqual([
      ['New passphrase', 'NEW_PRIVATE_KEY_PASSPHRASE'],
      ['Once more', 'NEW_PRIVATE_KEY_PASSPHRASE'],
    ])
    expect(noted).toEqual([
      'The keys are encrypted with the new passphrase. Set PRIVATE_KEY_PASSPHRASE to it, then restart the server.',
    ])
    expect(lines.filter((line) => line.startsWith('Warning'))).toEqual([])
    await loaded(fresh)
  })

  test('asks for the old passphrase first if the environment does not have it', async () => {
    await run(['generate'], { passphrase: 'old' })
    const { asked } = await run(['passphrase'], { answers: ['old', 'new', 'new'] })
    expect(asked.map(([, variable]) => variable)).toEqual([
      'PRIVATE_KEY_PASSPHRASE',
      'NEW_PRIVATE_KEY_PASSPHRASE',
      'NEW_PRIVATE_KEY_PASSPHRASE',
    ])
    await loaded('new')
  })

  test('asks nothing if the environment has both', async () => {
    await run(['generate'], { passphrase: 'old' })
    const { asked } = await run(['passphrase'], { passphrase: 'old', newPassphrase: 'new' })
    expect(asked).toEqual([])
    expect((await json(['list'], { passphrase: 'new' })).every(({ encrypted }) => encrypted)).toBe(
      true,
    )
  })

  test.each<[string, Circumstances, string]>([
    ['empty', { answers: [''] }, 'The new passphrase is empty. Nothing was changed.'],
    [
      'not repeated exactly',
      { answers: ['a', 'b'] },
      'The two passphrases differ. Nothing was changed.',
    ],
    ['not given', {}, 'There is no terminal to ask on. Set NEW_PRIVATE_KEY_PASSPHRASE.'],
  ])('that is %s changes nothing', async (_name, circumstances, sentence) => {
    await run(['generate'], { passphrase: 'old' })
    const before = await contents()
    const work = run(['passphrase'], { passphrase: 'old', ...circumstances })
    expect(await problemsOf(work)).toEqual([sentence])
    expect(await contents()).toEqual(before)
  })
})

describe('import', () => {
  let file: string
  const key = ecKey()
  beforeEach(async () => {
    file = join(await emptyFolder(), 'mine.pem')
    await run(['generate'], { passphrase: 'of the folder' })
  })

  test.each(['sig', 'enc'])("makes the file's key the next one for %s", async (use) => {
    await writeFile(file, pkcs8(key))
    const { code, noted, asked } = await run(['import', '--use', use, file], {
      passphrase: 'of the folder',
    })
    expect([code, asked]).toEqual([0, []])
    expect(noted).toEqual([
      'The imported key is the next key. It is published now, and used after the next rotation. It replaces any earlier next key.',
    ])
    const set = await loaded('of the folder')
    expect(set[use as 'sig'].next!.privateKey.equals(key)).toBe(true)
    const keys = await json(['list'], { passphrase: 'of the folder' })
    expect(keys.map(({ encrypted }) => encrypted)).toEqual(Array(4).fill(true))
  })

  test("asks for the file's own passphrase, or takes it from the environment", async () => {
    await writeFile(file, pkcs8(key, 'its own'))
    const args = ['import', '--use', 'sig', file]
    const { asked } = await run(args, { passphrase: 'of the folder', answers: ['its own'] })
    expect(asked).toEqual([[`Passphrase of ${file}`, 'IMPORT_PASSPHRASE']])
    const other = ecKey()
    await writeFile(file, pkcs8(other, 'another'))
    // The variable of another command is not used.
    const stuck = run(args, { passphrase: 'of the folder', newPassphrase: 'another' })
    expect(await problemsOf(stuck)).toEqual([
      'There is no terminal to ask on. Set IMPORT_PASSPHRASE.',
    ])
    const again = await run(args, { passphrase: 'of the folder', importPassphrase: 'another' })
    expect(again.asked).toEqual([])
    expect((await loaded('of the folder')).sig.next!.privateKey.equals(other)).toBe(true)
  })

  test('refuses a file that cannot be read', async () => {
    for (const path of [file, keysDir]) {
      const work = run(['import', '--use', 'sig', path], { passphrase: 'of the folder' })
      expect(await problemsOf(work)).toEqual([
        `${path} cannot be read. Check the path and its permissions.`,
      ])
    }
  })

  test.each([
    [['import', '--use', 'sig']],
    [['import', '--use', 'both', 'FILE']],
    [['import', 'FILE']],
    [['import', '--use', 'sig', 'FILE', 'another']],
  ])('%j is a usage error', async (args) => {
    await writeFile(file, pkcs8(ecKey(), 'x'))
    const before = await contents()
    const given = args.map((arg) => (arg === 'FILE' ? file : arg))
    const { code, lines, noted, asked } = await run(given, { answers: ['of the folder', 'x'] })
    expect([code, lines, asked]).toEqual([2, [], []])
    expect(noted).toEqual([expect.stringMatching(/^import .*\. See: npm run keys -- --help$/)])
    expect(await contents()).toEqual(before)
  })
})

describe('a passphrase that is not in the environment', () => {
  test.each([[['list']], [['rotate']], [['rotate', '--revoke']], [['prune']]])(
    'is asked for once by %j',
    async (args) => {
      await run(['generate'], { passphrase: 'secret' })
      const { code, asked } = await run(args, { answers: ['secret'] })
      expect([code, asked]).toEqual([0, [['Passphrase', 'PRIVATE_KEY_PASSPHRASE']]])
      const { keys } = await readFolder(folderOf('secret'))
      expect(keys.every(({ encrypted }) => encrypted)).toBe(true)
    },
  )

  test('changes nothing if it is wrong', async () => {
    await run(['generate'], { passphrase: 'secret' })
    const before = await contents()
    expect(await problemsOf(run(['rotate'], { answers: ['wrong'] }))).toHaveLength(4)
    expect(await problemsOf(run(['rotate']))).toEqual([
      'There is no terminal to ask on. Set PRIVATE_KEY_PASSPHRASE.',
    ])
    expect(await contents()).toEqual(before)
  })

  const folderOf = (passphrase: string) => ({ path: keysDir, passphrase, algorithms: DEFAULTS })
})

test('generate notes that RSA keys take a moment, and does not print it as a result', async () => {
  const { noted, lines } = await run(['generate'], { config: { algorithms: RSA_ENCRYPTION } })
  expect(noted).toEqual([
    'Making RSA keys. This takes a moment …',
    expect.stringMatching(/^Back them up/),
  ])
  expect(lines.join()).not.toContain('moment')
  const listed = await run(['list'], { config: { algorithms: RSA_ENCRYPTION } })
  expect(listed.noted).toEqual([])
})

test.each([['generate'], ['list'], ['rotate'], ['prune']])('%s warns', async (command) => {
  const first = await run(['generate'])
  const { text } = command === 'generate' ? first : await run([command])
  const count = command === 'rotate' ? 6 : 4
  expect(text.match(/^Warning: .*\.key is not protected by a passphrase/gm)).toHaveLength(count)
})

describe('a passphrase of fewer than 12 characters', () => {
  const WARNING =
    'Warning: the passphrase has fewer than 12 characters. Somebody who copies the key files may guess it. Choose a longer one with: npm run keys -- passphrase'
  const file = async () => {
    const path = join(await emptyFolder(), 'mine.pem')
    await writeFile(path, pkcs8(ecKey()))
    return path
  }
  const COMMANDS: [string, () => Promise<string[]> | string[]][] = [
    ['generate', () => ['generate']],
    ['rotate', () => ['rotate']],
    ['rotate --revoke', () => ['rotate', '--revoke']],
    ['import', async () => ['import', '--use', 'sig', await file()]],
    ['passphrase', () => ['passphrase']],
  ]

  test.each(COMMANDS)('causes a warning by %s, which writes keys', async (name, args) => {
    for (const [passphrase, warnings] of [
      ['11 charact\u{1f511}', [WARNING]],
      ['12 characte\u{1f511}', []],
    ] as const) {
      keysDir = await emptyFolder()
      const given =
        name === 'passphrase'
          ? { passphrase: PASSPHRASE, newPassphrase: passphrase }
          : { passphrase }
      if (name !== 'generate') await run(['generate'], { passphrase: given.passphrase })
      const { code, noted } = await run(await args(), given)
      expect([code, noted.slice(1)]).toEqual([0, warnings])
    }
  })

  test.each(['list', 'prune'])('causes no warning by %s, which writes none', async (command) => {
    await run(['generate'], { passphrase: 'short' })
    const { text, noted } = await run([command], { passphrase: 'short' })
    expect(text + noted.join()).not.toContain('Warning')
  })
})

test('no command prints key material or a passphrase', async () => {
  let all = ''
  for (const args of [['generate'], ['list'], ['rotate'], ['list', '--json'], ['prune']]) {
    const { text, noted } = await run(args, { passphrase: PASSPHRASE })
    all += text + noted.join()
  }
  const last = await run(['passphrase'], { passphrase: PASSPHRASE, newPassphrase: 'new secret' })
  all += last.text + last.noted.join()
  expect(all).not.toContain(PASSPHRASE)
  expect(all).not.toContain('new secret')
  const folder = { path: keysDir, passphrase: 'new secret', algorithms: DEFAULTS }
  const { keys } = await readFolder(folder)
  expect(keys).toHaveLength(6)
  for (const { key, pem } of keys) {
    expect(all).not.toContain(key.export({ format: 'jwk' }).d)
    const lines = pem.split('\n').filter((line) => line !== '')
    expect(lines.filter((line) => all.includes(line))).toEqual([])
  }
})

test.each([[['--help']], [['-h']], [['rotate', '--help']], [['--help', 'unknown']]])(
  '%j prints the usage and does nothing',
  async (args) => {
    const { code, text } = await run(args)
    expect(code).toBe(0)
    expect(text).toMatch(/^Usage: npm run keys -- <command> \[options\]$/m)
    for (const command of ['generate', 'list', 'rotate', 'prune', 'passphrase', 'import']) {
      expect(text).toContain(`  ${command} `)
    }
    for (const option of ['--revoke', '--json', '--use', '--help']) expect(text).toContain(option)
    expect(await readdir(keysDir)).toEqual([])
  },
)

const NO_COMMANDS = [
  [],
  [''],
  ['unknown'],
  ['Generate'],
  ['generate', 'more'],
  ['list', '-a'],
  ['constructor'],
  ['list', '--revoke'],
  ['generate', '--revoke'],
  ['--revoke'],
  ['--json'],
  ['list', '--all'],
  ['rotate', '--revoke=yes'],
  ['rotate', '--use'],
  ['prune', 'x'],
]
describe('an invalid command fails with one sentence and changes nothing:', () => {
  test.each(NO_COMMANDS.map((args) => [args]))('%j', async (args) => {
    const { code, lines, noted } = await run(args)
    expect([code, lines]).toEqual([2, []])
    expect(noted).toEqual([expect.stringMatching(/^[^\n]+\. See: npm run keys -- --help$/)])
    expect(await readdir(keysDir)).toEqual([])
  })

  test.each(NO_COMMANDS.map((args) => [args]))('%j, and asks for no passphrase', async (args) => {
    await run(['generate'], { passphrase: 'secret' })
    const { code, asked } = await run(args, { answers: ['secret'] })
    expect([code, asked]).toEqual([2, []])
  })
})

test('a command throws the problems that stop it', async () => {
  await run(['generate'])
  expect((await problemsOf(run(['generate'])))[0]).toMatch(
    /^There are already keys in .*: enc\.key, enc\.next\.key, sig\.key, sig\.next\.key\. Nothing was changed\./,
  )
  expect(
    (await problemsOf(run(['rotate'], { config: { keysDir: join(keysDir, 'none') } })))[0],
  ).toMatch(/^There are no keys in .*none\. /)
  await mkdir(join(keysDir, 'sig.next.key.d'))
  const file = join(keysDir, 'file')
  await writeFile(file, '')
  expect((await problemsOf(run(['list'], { config: { keysDir: file } })))[0]).toMatch(/ENOTDIR/)
})

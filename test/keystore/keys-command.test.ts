import { beforeEach, describe, expect, test } from '@jest/globals'
import { readdir, readFile, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { loadKeys } from '../../server/keystore/folder.ts'
import { keysCommand } from '../../server/keystore/keys-command.ts'
import { testConfig } from '../support/config.ts'
import { DEFAULTS, emptyFolder, PASSPHRASE, problemsOf } from './fixtures.ts'

let keysDir: string
beforeEach(async () => {
  keysDir = await emptyFolder()
})

async function run(args: string[], passphrase?: string) {
  const lines: string[] = []
  const config = testConfig({ keysDir, privateKeyPassphrase: passphrase, algorithms: DEFAULTS })
  const code = await keysCommand(args, config, (line) => void lines.push(line))
  return { code, lines, text: lines.join('\n') }
}

const loaded = (passphrase?: string) =>
  loadKeys({ path: keysDir, passphrase, algorithms: DEFAULTS })

const row = (...columns: string[]) => expect.stringMatching(new RegExp(`^${columns.join(' +')}$`))

test('generate makes the keys, shows them and says what is next', async () => {
  const { code, lines } = await run(['generate'], PASSPHRASE)
  expect(code).toBe(0)
  const { sig, enc } = await loaded(PASSPHRASE)
  expect(lines).toEqual([
    `Made two keys in ${keysDir}:`,
    expect.stringMatching(/^kid +use +alg +age +file$/),
    row(sig.pair.kid, 'sig', 'ES256', '0 h', sig.path),
    row(enc.pair.kid, 'enc', 'ECDH-ES\\+A128KW', '0 h', enc.path),
    'Back them up. Set PRESERVE_SESSIONS_ON_REBOOT=1 to have the server use them.',
  ])
})

test('list shows the same keys, under the heads of its columns', async () => {
  await run(['generate'], PASSPHRASE)
  const { code, lines } = await run(['list'], PASSPHRASE)
  const { sig, enc } = await loaded(PASSPHRASE)
  expect(code).toBe(0)
  expect(lines).toHaveLength(3)
  for (const [index, { pair, path }] of [sig, enc].entries()) {
    const line = lines[index + 1]!
    const column = (name: string) => line.slice(lines[0]!.indexOf(name)).split(' ')[0]
    expect(['kid', 'use', 'alg', 'file'].map(column)).toEqual([pair.kid, pair.use, pair.alg, path])
  }
})

test.each([
  [0, '0 h'],
  [47 * 3600 + 3000, '47 h'],
  [48 * 3600 + 60, '2 d'],
  [91 * 86_400, '91 d'],
  [-3600, '0 h'],
])('list tells the age of a key of %i seconds as %s', async (seconds, age) => {
  await run(['generate'])
  const written = Date.now() / 1000 - seconds
  await utimes(join(keysDir, 'sig.key'), written, written)
  const { lines } = await run(['list'])
  expect(lines[1]).toContain(` ${age} `)
})

test.each([['generate'], ['list']])('%s tells warnings', async (command) => {
  const first = await run(['generate'])
  const { text } = command === 'generate' ? first : await run([command])
  expect(text.match(/^Warning: .*(sig|enc)\.key is not protected by a passphrase/gm)).toHaveLength(
    2,
  )
})

test('no output holds key material or the passphrase', async () => {
  const { text } = await run(['generate'], PASSPHRASE)
  const all = text + (await run(['list'], PASSPHRASE)).text
  expect(all).not.toContain(PASSPHRASE)
  for (const { pair, path } of Object.values(await loaded(PASSPHRASE)).filter(isKeyFile)) {
    expect(all).not.toContain(pair.privateKey.export({ format: 'jwk' }).d)
    const pem = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
    expect(pem.filter((line) => all.includes(line))).toEqual([])
  }
})

type Loaded = Awaited<ReturnType<typeof loaded>>
const isKeyFile = (value: Loaded[keyof Loaded]): value is Loaded['sig'] => 'pair' in value

test.each([['help'], ['--help'], ['-h']])('%s shows every command', async (flag) => {
  const { code, text } = await run([flag])
  expect(code).toBe(0)
  expect(text).toMatch(/^Usage: npm run keys -- <command>$/m)
  for (const command of ['generate', 'list', '--help']) expect(text).toContain(`  ${command} `)
})

describe('what is no command shows the help, does nothing and fails', () => {
  test.each([
    [[]],
    [['']],
    [['unknown']],
    [['Generate']],
    [['generate', 'more']],
    [['list', '-a']],
    [['constructor']],
  ])('%j', async (args) => {
    const { code, text } = await run(args)
    expect(code).toBe(2)
    expect(text).toBe((await run(['--help'])).text)
    expect(await readdir(keysDir)).toEqual([])
  })
})

test('what stops a command is told as at boot', async () => {
  expect((await problemsOf(run(['list'])))[0]).toMatch(/^There are no keys in /)
  await run(['generate'])
  expect((await problemsOf(run(['generate'])))[0]).toMatch(/already in .*nothing was changed/)
})

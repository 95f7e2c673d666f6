import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { Config } from '../../../../server/config/config.ts'
import { StartupError } from '../../../../server/errors/startup-error.ts'
import { clientsCommand } from '../../../../server/features/service-clients/command/clients-command.ts'
import { createLogger } from '../../../../server/log/logger.ts'
import { databaseAt, databaseUrlAt, openAt } from '../../../support/database.ts'
import { killAll, run } from '../../../support/process.ts'
import { DEFAULTS } from '../../../token/fixtures.ts'
import { makeKeys } from '../service.ts'

const config = { algorithms: DEFAULTS } as Config
let folder: string
let file: string
let jwksFile: string
let keys: Awaited<ReturnType<typeof makeKeys>>
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clients-'))
  file = join(folder, 'auth.db')
  jwksFile = join(folder, 'notes.jwks.json')
  keys = await makeKeys()
  await writeFile(jwksFile, JSON.stringify(keys.jwks))
})
afterEach(async () => {
  await killAll()
  await rm(folder, { recursive: true, force: true })
})

async function command(...args: string[]) {
  const [lines, notes, logs]: [string[], string[], string[]] = [[], [], []]
  let isOpened = false
  const code = await clientsCommand(args, {
    config,
    logger: createLogger('info', { write: (line) => void logs.push(line) }),
    print: (line) => void lines.push(line),
    note: (line) => void notes.push(line),
    async open() {
      isOpened = true
      return openAt(await databaseAt(file))
    },
  })
  const audits = logs
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .map(({ audit, client_id }) => [audit, client_id])
  return { code, text: lines.join('\n'), notes: notes.join('\n'), audits, isOpened }
}

const add = (...more: string[]) =>
  command('add', '--name', 'Notes', '--jwks', jwksFile, '--scope', 'notes introspect', ...more)

test('add prints the client_id, list shows the client, remove removes it', async () => {
  const added = await add()
  expect(added).toMatchObject({ code: 0, text: keys.id, notes: '' })
  expect(added.audits).toEqual([['service_client_added', keys.id]])

  const listed = await command('list')
  expect(listed.code).toBe(0)
  expect(listed.text.split('\n')).toEqual([
    expect.stringMatching(/^client_id +name +scope +signs with +encryption +added$/),
    expect.stringMatching(
      `^${keys.id}  Notes  notes introspect  ES256       ECDH-ES\\+A128KW  \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d$`,
    ),
  ])

  const removed = await command('remove', keys.id)
  expect(removed).toMatchObject({ code: 0, text: `Removed ${keys.id}.` })
  expect(removed.audits).toEqual([['service_client_removed', keys.id]])
  expect((await command('list')).text).toBe('There are no service clients.')
})

test('--json prints JSON', async () => {
  const described = {
    client_id: keys.id,
    client_name: 'Notes',
    scope: 'notes introspect',
    signing_alg: 'ES256',
    encryption_alg: 'ECDH-ES+A128KW',
    created_at: expect.stringMatching(/^\d{4}-.*Z$/),
  }
  expect(JSON.parse((await command('list', '--json')).text)).toEqual([])
  expect(JSON.parse((await add('--json')).text)).toEqual(described)
  expect(JSON.parse((await command('list', '--json')).text)).toEqual([described])
  const removed = await command('remove', keys.id, '--json')
  expect(JSON.parse(removed.text)).toEqual({ client_id: keys.id })
})

test('remove takes a client_id that begins with a hyphen', async () => {
  const id = `-${'a'.repeat(42)}`
  for (const args of [
    ['remove', id],
    ['remove', id, '--json'],
    ['--json', 'remove', id],
  ]) {
    const { code, notes } = await command(...args)
    expect([code, notes]).toEqual([1, `There is no service client ${id}.`])
  }
})

test('add refuses a known client, and remove refuses an unknown one', async () => {
  await add()
  const again = await add()
  expect([again.code, again.text, again.audits]).toEqual([1, '', []])
  expect(again.notes).toContain(`registered already: ${keys.id}`)
  const unknown = await command('remove', 'nobody')
  expect([unknown.code, unknown.notes]).toEqual([1, 'There is no service client nobody.'])
})

test.each(['help', '--help', '-h'])('%s prints the usage', async (flag) => {
  const { code, text, isOpened } = await command(flag)
  expect([code, isOpened]).toEqual([0, false])
  for (const word of ['add', 'list', 'remove', '--json']) expect(text).toContain(word)
})

test.each<[string, string[]]>([
  ['A command is missing.', []],
  ['There is no command "rotate".', ['rotate']],
  ['There is no such option', ['list', '--all']],
  ['There is no such option', ['add', '--name']],
  ['list takes no argument.', ['list', 'notes']],
  ['remove takes one client_id.', ['remove']],
  ['remove takes one client_id.', ['remove', 'a', 'b']],
  ['Only add takes', ['remove', 'a', '--name', 'Notes']],
  ['add takes options alone.', ['add', 'notes.jwks.json']],
  ['add needs --name, --jwks and --scope.', ['add', '--name', 'Notes', '--scope', 'notes']],
  ['The name must not be empty.', ['add', '--name', '', '--jwks', 'x', '--scope', 'notes']],
  ['The scope must be words', ['add', '--name', 'N', '--jwks', 'x', '--scope', 'notes  all']],
  ['The scope must be words', ['add', '--name', 'N', '--jwks', 'x', '--scope', '']],
])('wrong arguments are refused: "%s"', async (note, args) => {
  const { code, text, notes, isOpened } = await command(...args)
  expect([code, text, isOpened]).toEqual([2, '', false])
  expect(notes).toMatch(note)
  expect(notes).toMatch('See: npm run clients -- --help')
})

describe('the JWK Set file', () => {
  const problemsOf = async (): Promise<readonly string[]> => {
    const error: unknown = await add().catch((error: unknown) => error)
    if (error instanceof StartupError) return error.problems
    throw error instanceof Error ? error : new Error('It is accepted.')
  }

  test('must be readable', async () => {
    await rm(jwksFile)
    expect(await problemsOf()).toEqual([expect.stringContaining(`${jwksFile} cannot be read`)])
  })

  test('must be JSON', async () => {
    await writeFile(jwksFile, '-----BEGIN PUBLIC KEY-----')
    expect(await problemsOf()).toEqual([`${jwksFile} is not JSON.`])
  })

  test('must have the two keys', async () => {
    await writeFile(jwksFile, JSON.stringify({ keys: [{ ...keys.jwks.keys[1], d: 'AAAA' }] }))
    expect(await problemsOf()).toEqual([expect.stringContaining('It has 0 signing keys')])
  })
})

describe('the program', () => {
  const SCRIPT = 'server/features/service-clients/command/index.ts'
  const start = async (...args: string[]) =>
    run(SCRIPT, { DATABASE_URL: await databaseUrlAt(file) }, args)

  test('prints the result to stdout and the log to stderr', async () => {
    const options = ['--name', 'Notes', '--jwks', jwksFile, '--scope', 'notes']
    const program = await start('add', ...options)
    expect(await program.exit).toBe(0)
    expect(program.stdout.text).toBe(`${keys.id}\n`)
    expect(program.stderr.text).toContain('"audit":"service_client_added"')
    expect((await command('list')).text).toContain(keys.id)
  })

  test('exits with 1 for a bad file and 2 for wrong arguments', async () => {
    await writeFile(jwksFile, '{}')
    const program = await start('add', '--name', 'N', '--jwks', jwksFile, '--scope', 'notes')
    expect(await program.exit).toBe(1)
    expect(program.stderr.text).toBe(`${jwksFile}: It is not a JWK Set: an object with "keys".\n`)
    const wrong = await start('add')
    expect(await wrong.exit).toBe(2)
  })
})

import { describe, expect, test } from '@jest/globals'
import { join } from 'node:path'
import { run } from '../../support/process.ts'
import { copiesTo, copying } from './copying.ts'

const made = copying()
const { command, copy, problemsOf, fillSource } = made

describe('the arguments', () => {
  test.each([
    [[], 'A command is missing.'],
    [['copy'], 'copy needs --from or --to.'],
    [['move', '--to', 'x'], 'There is no command "move".'],
    [['copy', '--to', 'x', '--fast'], 'There is no such option, or its value is missing.'],
    [['copy', 'x', '--to', 'x'], 'copy takes options alone.'],
    [['backup'], 'backup needs --to.'],
    [['backup', '--from', 'x'], 'backup needs --to.'],
    [['backup', '--to'], 'There is no such option, or its value is missing.'],
  ])('%j are refused', async (args, fault) => {
    expect(await command(...args)).toBe(2)
    expect(made.notes()).toEqual([`${fault} See: npm run database -- --help`])
    expect(made.lines()).toEqual([])
  })

  test.each([[['--help']], [['copy', '-h']]])('%j print the usage', async (args) => {
    expect(await command(...args)).toBe(0)
    expect(made.lines().join('\n')).toMatch(/^Usage: npm run database/)
  })

  test('that name only a target mean the configured database', async () => {
    expect(await problemsOf(command('copy', '--to', ':memory:'))).toEqual([
      `There is no database at ${made.source()}.`,
    ])
  })

  test('that name one database twice, or a missing source, are refused', async () => {
    const source = made.source()
    expect(await problemsOf(copy(source, source))).toEqual([
      '--from and --to name the same database.',
    ])
    expect(await problemsOf(copy(source, ':memory:'))).toEqual([
      `There is no database at ${source}.`,
    ])
  })
})

describe('a copy', () => {
  const target = () => join(made.folder(), 'copy.db')

  copiesTo(made, {
    create: () => Promise.resolve(target()),
    breakTable: `create trigger broken before insert on refresh_tokens
      when new.session_id = 'bobs' begin select raise(abort, 'broken'); end`,
    mendTable: 'drop trigger broken',
  })

  test('by the program uses DATABASE_URL for a missing argument', async () => {
    await fillSource()
    const env = { DATABASE_URL: `file:${target()}` }
    const program = run('server/commands/database/index.ts', env, [
      'copy',
      '--from',
      `file:${made.source()}`,
    ])
    expect([await program.exit, program.stderr.text]).toEqual([0, ''])
    expect(program.stdout.text).toMatch(/sessions: 1204\n[^]*Done/)
    const wrong = run('server/commands/database/index.ts', env, [
      'copy',
      '--from',
      'mysql://root:hunter2@db/auth',
    ])
    expect(await wrong.exit).toBe(1)
    expect(wrong.stderr.text).toMatch(
      /^--from and --to must be file: and a path, such as file:\.\/data\/auth\.db.*\.\n$/,
    )
    expect(wrong.stderr.text).not.toContain('hunter2')
  })
})

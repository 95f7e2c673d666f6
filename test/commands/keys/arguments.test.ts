import { expect, test } from '@jest/globals'
import { HELP, parseArguments } from '../../../server/commands/keys/arguments.ts'

const fault = (...args: string[]) => parseArguments(args).fault

test.each([
  [['generate']],
  [['list']],
  [['list', '--json']],
  [['rotate']],
  [['rotate', '--revoke']],
  [['prune']],
  [['passphrase']],
  [['import', '--use', 'sig', 'f']],
  [['import', 'f', '--use=enc', '--json']],
])('%j is accepted', (args) => {
  expect(fault(...args)).toBeUndefined()
})

test.each<[string[], string]>([
  [[], 'A command is missing.'],
  [['--json'], 'A command is missing.'],
  [['--revoke'], 'A command is missing.'],
  [[''], 'There is no command "".'],
  [['Generate'], 'There is no command "Generate".'],
  [['constructor'], 'There is no command "constructor".'],
  [['a\u001b[2J'], 'There is no command "a\\u001b[2J".'],
  [['list', '--revoke'], '--revoke can only be used with rotate.'],
  [['import', '--revoke', '--use', 'sig', 'f'], '--revoke can only be used with rotate.'],
  [['generate', 'twice'], 'generate takes no further arguments.'],
  [['rotate', ''], 'rotate takes no further arguments.'],
  [['import', '--use', 'sig'], 'import takes one file.'],
  [['import', '--use', 'sig', 'f', 'g'], 'import takes one file.'],
  [['import', 'f'], 'import needs --use sig or --use enc.'],
  [['import', '--use', 'both', 'f'], 'import needs --use sig or --use enc.'],
  [['list', '--all'], 'There is no such option.'],
  [['list', '-a'], 'There is no such option.'],
  [['rotate', '--revoke=yes'], 'There is no such option.'],
])('%j is refused: %s', (args, sentence) => {
  expect(fault(...args)).toBe(sentence)
})

test('options and arguments can be mixed', () => {
  expect(parseArguments(['--use', 'sig', 'import', '--json', 'a file'])).toMatchObject({
    values: { use: 'sig', json: true },
    positionals: ['import', 'a file'],
    fault: undefined,
  })
})

test('the help names every command, option and variable', () => {
  for (const command of ['generate', 'list', 'rotate', 'prune', 'passphrase', 'import']) {
    expect(HELP).toMatch(new RegExp(`^  ${command} `, 'm'))
  }
  for (const name of ['--revoke', '--json', '--use', '--help']) expect(HELP).toContain(name)
  for (const name of ['', 'NEW_'])
    expect(HELP).toMatch(new RegExp(`\\s${name}PRIVATE_KEY_PASSPHRASE`))
  expect(HELP).toContain('IMPORT_PASSPHRASE')
})

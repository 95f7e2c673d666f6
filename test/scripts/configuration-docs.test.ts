import { describe, expect, test } from '@jest/globals'
import { z } from 'zod'
import {
  findConfigurationProblems,
  withoutMissingFeatures,
  type ConfigurationSources,
} from '../../scripts/configuration-docs.ts'

const variables = {
  PORT: z
    .string()
    .transform((text) => Number(text))
    .default(3000),
  ISSUER: z.string().optional(),
  SECRET: z.string().optional(),
  ORIGINS: z
    .string()
    .transform((text) => text.split(','))
    .default([]),
  LEVEL: z.enum(['low', 'high']).default('low'),
}
const markdown = `
| variable  | default             | accepted                |
| --------- | ------------------- | ----------------------- |
| \`PORT\`    | \`3000\`              | a port                  |
| \`ISSUER\`  | \`http://a.test:3000\` | a URL                   |
| \`SECRET\`  | none                | any text                |
| \`ORIGINS\` | none                | origins                 |
| \`LEVEL\`   | \`low\`               | \`low\` (the least), \`high\` |
`
const dotenv = `# The port.
PORT=3000
#ISSUER=https://example.com
SECRET=change-me
ORIGINS=
LEVEL=low
`

const problemsOf = (changed: Partial<ConfigurationSources> = {}): string[] =>
  findConfigurationProblems({
    variables,
    // As config.ts: what depends on other variables is found out there.
    configure: ({ ISSUER = 'http://a.test:3000', SECRET }) => ({ ISSUER, SECRET }),
    markdown,
    dotenv,
    isPlaceholder: (value) => value === 'change-me',
    ...changed,
  })

test('sources that agree have no problem', () => {
  expect(problemsOf()).toEqual([])
})

describe('the tables', () => {
  const page = (from: string, to: string) => problemsOf({ markdown: markdown.replace(from, to) })

  test.each([
    ['a variable that is missing', /^\| `PORT`.*\n/m, 'PORT is missing.'],
    ['another default', '`3000`', '80 is not the default of PORT.', '`80`'],
    [
      'a default that depends on other variables',
      ':3000`',
      'http://a.test is not the default of ISSUER.',
      '`',
    ],
    [
      'a default for a variable without one',
      '| none                | any',
      'x is not the default of SECRET.',
      '| `x` | any',
    ],
    [
      'a missing default',
      '| `low`               |',
      'LEVEL has a default, which is not given.',
      '| none |',
    ],
    ['a word left out', ', `high`', 'LEVEL also accepts high.'],
  ])('%s', (_name, from, problem, to = '') => {
    const changed = markdown.replace(from, to)
    expect(changed).not.toBe(markdown)
    expect(problemsOf({ markdown: changed })).toEqual([`The tables in docs/: ${problem}`])
  })

  test('an unknown variable, and a duplicate one', () => {
    const row = '| `GONE` | none | any |'
    expect(page('\n|', `\n${row}\n|`)).toEqual(['The tables in docs/: there is no variable GONE.'])
    expect(page('\n| `PORT`', '\n| `PORT` | `3000` | a port |\n| `PORT`')).toEqual([
      'The tables in docs/: PORT appears twice.',
    ])
  })
})

describe('.env.example', () => {
  test.each([
    ['a variable that is missing', 'PORT=3000\n', 'PORT is missing.', ''],
    ['a variable that does not exist', 'PORT', 'there is no variable GONE.', 'GONE=1\nPORT'],
    ['another default', '3000', '80 is not the default of PORT.', '80'],
    ['a value without a default', 'ORIGINS=', 'a is not the default of ORIGINS.', 'ORIGINS=a'],
    ['no value despite a default', '=low', 'LEVEL has a default, which is not given.', '='],
  ])('%s', (_name, from, problem, to) => {
    const changed = dotenv.replace(from, to)
    expect(problemsOf({ dotenv: changed })).toEqual([`.env.example: ${problem}`])
  })
})

test("a feature's section is required only while its page exists", () => {
  const [core, one, two] = [
    'PORT=1\n',
    '\n# docs/features/one.md\nONE=1\n',
    '\n# docs/features/two.md\n',
  ]
  const text = `${core}# see docs/features/one.md\n${one}${two}#TWO=2\n`
  expect(withoutMissingFeatures(text, () => true)).toBe(text)
  expect(withoutMissingFeatures(text, (path) => path !== 'docs/features/one.md')).toBe(
    `${core}# see docs/features/one.md\n\n# docs/features/two.md\n#TWO=2\n`,
  )
  expect(withoutMissingFeatures(text, () => false)).not.toMatch(/ONE|TWO/)
})

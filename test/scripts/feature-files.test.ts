import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import {
  FEATURE_LIST,
  FEATURE_PAGE,
  featureExample,
  featureNames,
  unlisted,
  withoutLineOf,
} from '../../scripts/feature-files.ts'

const ONE_LINE = `import type { Feature } from './feature.ts'
import { admin } from './features/admin/index.ts'
import { passwordReset } from './features/password-reset/index.ts'

/** What the server has beside its core. */
export const features: readonly Feature[] = [passwordReset, admin]
`

test('a feature is removed from the list, with its import', () => {
  expect(unlisted(ONE_LINE, 'password-reset')).toBe(`import type { Feature } from './feature.ts'
import { admin } from './features/admin/index.ts'

/** What the server has beside its core. */
export const features: readonly Feature[] = [admin]
`)
})

test('a list over several lines is parsed too, and may become empty', () => {
  const list = ONE_LINE.replace('[passwordReset, admin]', '[\n  passwordReset,\n  admin,\n]')
  const empty = unlisted(unlisted(list, 'admin'), 'password-reset')
  expect(empty).toMatch(/= \[\]\n$/)
  expect(empty).not.toContain('features/')
})

test.each([
  ['that is not imported', ONE_LINE, 'metrics'],
  ['whose name is part of another', ONE_LINE, 'password'],
  ['that is imported and not listed', ONE_LINE.replace(', admin]', ']'), 'admin'],
])('a feature %s is refused', (_, list, name) => {
  expect(() => unlisted(list, name)).toThrow(`does not list the feature ${name} `)
})

test('features.ts lists every folder of server/features/', () => {
  expect(existsSync(FEATURE_LIST)).toBe(true)
  let list = readFileSync(FEATURE_LIST, 'utf8')
  for (const name of featureNames()) list = unlisted(list, name)
  expect(list).toMatch(/= \[\]\n$/)
})

test('a feature is removed from the page that lists them, which may become empty', () => {
  const page = 'Text.\n\n- [A](a.md): one.\n- [B](b.md): after [A](a.md#x).\n\n## Next\n'
  expect(withoutLineOf('a', page)).toBe('Text.\n\n- [B](b.md): after [A](a.md#x).\n\n## Next\n')
  expect(withoutLineOf('b', withoutLineOf('a', page))).toBe('Text.\n\n## Next\n')
})

test('the page lists every folder of server/features/', () => {
  let page = readFileSync(FEATURE_PAGE, 'utf8')
  for (const name of featureNames()) page = withoutLineOf(name, page)
  expect(page).not.toMatch(/^- /m)
})

test('the example in a README is the block that begins with its path', () => {
  const text = '// server/features/x/index.ts\nexport const x = 1\n'
  const readme = `\`\`\`ts\nconst other = 1\n\`\`\`\n\n\`\`\`ts\n${text}\`\`\`\n`
  expect(featureExample(readme)).toEqual(['server/features/x/index.ts', text])
  expect(() => featureExample('```ts\nconst x = 1\n```\n')).toThrow('shows no feature')
})

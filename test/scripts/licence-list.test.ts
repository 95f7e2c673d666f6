import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { findLicenceProblems } from '../../scripts/licence-list.ts'

const problemsOf = (packages: Record<string, object>) =>
  findLicenceProblems({ lockfileVersion: 3, packages: { '': { license: 'none' }, ...packages } })

test('the licences of all production dependencies are allowed', () => {
  const lockfile: unknown = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8'),
  )
  const { checked, problems } = findLicenceProblems(lockfile)
  expect(problems).toEqual([])
  // At least koa and its dependencies.
  expect(checked).toBeGreaterThan(30)
})

describe('a licence', () => {
  test.each(['MIT', 'Apache-2.0', '(MIT OR GPL-3.0-only)', 'GPL-3.0-only OR ISC', 'MIT AND ISC'])(
    'is allowed: %s',
    (license) => {
      expect(problemsOf({ 'node_modules/a': { version: '1.0.0', license } })).toEqual({
        checked: 1,
        problems: [],
      })
    },
  )

  test.each(['GPL-3.0-only', 'MIT AND GPL-3.0-only', 'SEE LICENSE IN LICENSE', '', 'UNLICENSED'])(
    'is not allowed: %j',
    (license) => {
      const { problems } = problemsOf({ 'node_modules/a': { version: '1.0.0', license } })
      expect(problems).toEqual([expect.stringContaining('a@1.0.0 is under')])
    },
  )

  test('must be stated', () => {
    const { problems } = problemsOf({ 'node_modules/a/node_modules/@b/c': { version: '2.0.0' } })
    expect(problems).toEqual([expect.stringMatching(/^@b\/c@2\.0\.0 states no licence/)])
  })

  test('does not matter for a development dependency, but does for an optional one', () => {
    const license = 'GPL-3.0-only'
    const { checked, problems } = problemsOf({
      'node_modules/dev': { version: '1.0.0', license, dev: true },
      'node_modules/optional': { version: '1.0.0', license, optional: true },
      'node_modules/either': { version: '1.0.0', license, devOptional: true },
    })
    expect(checked).toBe(2)
    expect(problems.map((line) => line.split('@')[0])).toEqual(['optional', 'either'])
  })
})

test('a lock file of another version is refused', () => {
  expect(() => findLicenceProblems({ lockfileVersion: 2, packages: {} })).toThrow()
})

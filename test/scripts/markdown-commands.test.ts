import { expect, test } from '@jest/globals'
import { findBrokenCommands } from '../../scripts/markdown-commands.ts'

const exists = (path: string): boolean => ['test/token', 'test/token/a.test.ts'].includes(path)
const brokenIn = (text: string): string[] =>
  findBrokenCommands(new Map([['docs/a.md', text]]), ['test', 'test:long', 'keys'], exists)

test.each([
  '`npm run test:long`',
  '`npm run -s keys -- list --json`',
  '`SEEDS=20 npm test -- --coverage=false test/token test/token/a.test.ts`',
  '```sh\nnpm run keys -- list   # see test/nowhere.md\n```',
  '`npm run keys` and the server/ folder',
  '`npm ci`, npm running, `npm run <name>`',
])('accepts %s', (text) => {
  expect(brokenIn(text)).toEqual([])
})

test.each([
  ['`npm run test:lang`', 'npm script test:lang'],
  ['```sh\nnpm run -s nothing\n```', 'npm script nothing'],
  ['`npm test -- test/tokens`', 'test/tokens'],
  ['`KILLS=60 npm run test:long -- test/token/b.test.ts`', 'test/token/b.test.ts'],
])('reports %s', (text, what) => {
  expect(brokenIn(text)).toEqual([`docs/a.md: there is no ${what}.`])
})

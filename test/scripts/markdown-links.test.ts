import { expect, test } from '@jest/globals'
import { findBrokenLinks } from '../../scripts/markdown-links.ts'

const exists = (path: string): boolean =>
  ['README.md', 'docs/a.md', 'server', 'server/a.ts'].includes(path)
const brokenIn = (pages: Record<string, string>): string[] =>
  findBrokenLinks(new Map(Object.entries(pages)), exists)

test.each([
  '[a](docs/a.md)',
  '![a](docs/a.md)',
  '[a](server)',
  '[a](docs/a.md#a-heading-with-code-and-a-comma)',
  '# Here\n[a](#here)',
  '[a](https://nowhere.test/x)',
  '```md\n[a](nowhere.md)\n```',
  '`server/a.ts`, `accounts/b.ts`, `server/features/<name>/`',
])('accepts %s', (text) => {
  const heading = '## A heading, with `code` and a comma\n'
  expect(brokenIn({ 'README.md': text, 'docs/a.md': heading })).toEqual([])
})

test.each([
  ['[a](docs/b.md)', 'docs/b.md'],
  ['![a](docs/a.png)', 'docs/a.png'],
  ['[a](docs/a.md#nothing)', 'docs/a.md#nothing'],
  ['[a](#nothing)', '#nothing'],
  ['```sh\n# nothing\n```\n[a](#nothing)', '#nothing'],
])('reports %s', (text, target) => {
  expect(brokenIn({ 'README.md': text, 'docs/a.md': '# A' })).toEqual([
    `README.md: the link to ${target} is broken.`,
  ])
})

test('a link is relative to its page', () => {
  const pages = { 'docs/a.md': '[a](../README.md) [b](README.md)' }
  expect(brokenIn(pages)).toEqual(['docs/a.md: the link to README.md is broken.'])
})

test('a path in a code span is relative to the project', () => {
  const pages = { 'docs/a.md': '`server/a.ts` `server/b.ts` `client/c/`' }
  expect(brokenIn(pages)).toEqual([
    'docs/a.md: there is no server/b.ts.',
    'docs/a.md: there is no client/c/.',
  ])
})

import { expect, test } from '@jest/globals'
import { PassThrough } from 'node:stream'
import { askSecret } from '../../server/commands/prompt.ts'
import { problemsOf } from '../keystore/fixtures.ts'
import { replaceStdin } from '../support/stdin.ts'

test('without a terminal, the error names the variable to set', async () => {
  const shown = replaceStdin(new PassThrough(), false)
  expect(await problemsOf(askSecret('Passphrase', 'SOME_VARIABLE'))).toEqual([
    'There is no terminal to ask on. Set SOME_VARIABLE.',
  ])
  expect(shown).toEqual([])
})

test('asks on stderr, and does not echo the answer', async () => {
  const stdin = new PassThrough()
  const shown = replaceStdin(stdin, true)
  let printed = ''
  const out = process.stdout.write.bind(process.stdout)
  process.stdout.write = (text: string) => (printed += text) !== ''
  try {
    const answer = askSecret('Passphrase', 'SOME_VARIABLE')
    for (const letter of 'my \u043f secret\r') stdin.write(letter)
    expect(await answer).toBe('my \u043f secret')
  } finally {
    process.stdout.write = out
  }
  expect([shown.join(''), printed]).toEqual(['Passphrase: \n', ''])
})

test('a second question gets its own answer', async () => {
  const stdin = new PassThrough()
  replaceStdin(stdin, true)
  for (const word of ['one', 'other']) {
    const answer = askSecret('Passphrase', 'SOME_VARIABLE')
    stdin.write(`${word}\r`)
    expect(await answer).toBe(word)
  }
})

test.each([
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
])('%s stops with a sentence', async (_name, key) => {
  const stdin = new PassThrough()
  const shown = replaceStdin(stdin, true)
  const answer = problemsOf(askSecret('Passphrase', 'SOME_VARIABLE'))
  stdin.write(key)
  expect(await answer).toEqual(['Stopped. Nothing was changed.'])
  expect(shown.join('')).toBe('Passphrase: \n')
})

import { describe, expect, test } from '@jest/globals'
import { PassThrough } from 'node:stream'
import { CallError } from '../../../example/call/call-error.ts'
import { readBody, readPassword } from '../../../example/call/input.ts'
import { replaceStdin } from '../../support/stdin.ts'

const sent = (text: string) => new PassThrough().end(text)

/** Types the texts in turn while `work` asks for them. */
async function typing<T>(texts: readonly string[], work: () => Promise<T>) {
  const stdin = new PassThrough()
  const shown = replaceStdin(stdin, true)
  const result = work()
  // It may fail before a test awaits it.
  result.catch(() => undefined)
  for (const text of texts) {
    stdin.write(`${text}\r`)
    await new Promise(setImmediate)
  }
  return { shown, result }
}

describe('the password', () => {
  test('is asked for in a terminal, without echo', async () => {
    const { shown, result } = await typing(['secret'], () => readPassword('ada@mail.test', false))
    expect(await result).toBe('secret')
    expect(shown.join('')).toBe('Password of ada@mail.test: \n')
  })

  test('is asked for twice if it is new', async () => {
    const ask = () => readPassword('ada@mail.test', true)
    const { shown, result } = await typing(['secret', 'secret'], ask)
    expect(await result).toBe('secret')
    expect(shown.join('')).toBe('Password of ada@mail.test: \nOnce more: \n')
    const other = await typing(['secret', 'sacred'], ask)
    await expect(other.result).rejects.toThrow(
      new CallError('The two passwords differ. Nothing was changed.'),
    )
  })

  test.each([
    ['one line', 'a b\n', 'a b'],
    ['the first line', 'a b\r\nmore', 'a b'],
    ['without a line break', 'a b', 'a b'],
  ])('from stdin: %s', async (_name, text, password) => {
    const shown = replaceStdin(sent(text), false)
    expect(await readPassword('ada@mail.test', true)).toBe(password)
    expect(shown).toEqual([])
  })

  test('from stdin that stays open', async () => {
    const stdin = new PassThrough()
    replaceStdin(stdin, false)
    stdin.write('secret\n')
    expect(await readPassword('ada@mail.test', false)).toBe('secret')
    expect(stdin.destroyed).toBe(true)
  })

  test.each(['', '\n', '\nsecret\n'])('throws if it is missing: %j', async (text) => {
    replaceStdin(sent(text), false)
    await expect(readPassword('ada@mail.test', false)).rejects.toMatchObject({
      message: 'The password is missing. Type it, or send it as a line to stdin.',
      exitCode: 2,
    })
  })
})

describe('the body', () => {
  test('is returned unchanged', async () => {
    expect(await readBody(undefined)).toBe(undefined)
    expect(await readBody('{"a" : 1.0}')).toBe('{"a" : 1.0}')
    replaceStdin(sent('{"b" : 2.0}\n'), false)
    expect(await readBody('-')).toBe('{"b" : 2.0}\n')
  })

  test('throws if it is not JSON', async () => {
    await expect(readBody('{name:Ada}')).rejects.toMatchObject({
      message: `The body is not JSON. Put it in single quotes: '{"name":"Ada"}'.`,
      exitCode: 2,
    })
    replaceStdin(sent(''), false)
    await expect(readBody('-')).rejects.toMatchObject({
      message: 'What came on stdin is not JSON.',
      exitCode: 2,
    })
  })
})

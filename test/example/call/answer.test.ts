import { describe, expect, test } from '@jest/globals'
import { showAnswer } from '../../../example/call/answer.ts'
import { CallError } from '../../../example/call/call-error.ts'
import { createOutput, plain } from './fixtures.ts'

async function shown(response: Response, isTTY: boolean) {
  const [stdout, stderr] = [createOutput(isTTY), createOutput(isTTY)]
  const code = await showAnswer(response, stdout, stderr)
  return { code, stdout: stdout.text, stderr: stderr.text }
}

describe('the body', () => {
  test('is indented and coloured in a terminal', async () => {
    const { stdout, stderr } = await shown(new Response('{"a":[1]}'), true)
    expect(plain(stdout)).toBe('{\n  "a": [\n    1\n  ]\n}\n')
    expect(stdout).toContain('\u001b[36m"a"')
    expect(stderr).toBe('\u001b[32m✓\u001b[39m 200 OK\n')
  })

  test.each([
    ['JSON', '{"a": 12345678901234567890}'],
    ['text', 'one\ntwo\n'],
    ['control codes', '\u001b[2J'],
    ['empty', ''],
  ])('is unchanged elsewhere: %s', async (_name, body) => {
    expect(await shown(new Response(body), false)).toEqual({
      code: 0,
      stdout: body,
      stderr: '✓ 200 OK\n',
    })
  })

  test('that is not JSON has its control codes escaped in a terminal', async () => {
    const { stdout } = await shown(new Response('<p>\u001b[2J'), true)
    expect(stdout).toBe('<p>\\u001b[2J\n')
  })

  test('that breaks off throws', async () => {
    const body = new ReadableStream({
      pull(controller) {
        controller.error(new TypeError('terminated'))
      },
    })
    await expect(shown(new Response(body), false)).rejects.toThrow(
      new CallError('The connection broke before the end of the answer.'),
    )
  })
})

describe('a refusal', () => {
  test('shows the reason, when to try again, and the request id', async () => {
    const body = '{"error":"rate_limited","error_description":"Too many attempts."}'
    const headers = { 'Retry-After': '30', 'X-Request-Id': 'abc-1' }
    expect(await shown(new Response(body, { status: 429, headers }), false)).toEqual({
      code: 1,
      stdout: body,
      stderr:
        '✗ 429 Too Many Requests: Too many attempts.\n  Try again in 30 s.\n  X-Request-Id: abc-1\n',
    })
  })

  test.each(['<p>Bad gateway', 'null', '[]', '"text"', '{"error_description":1}'])(
    'without a description: %s',
    async (body) => {
      const { code, stdout, stderr } = await shown(new Response(body, { status: 502 }), false)
      expect([code, stdout, stderr]).toEqual([1, body, '✗ 502 Bad Gateway\n'])
    },
  )

  test('with an unknown status', async () => {
    const { code, stderr } = await shown(new Response(null, { status: 599 }), false)
    expect([code, stderr]).toEqual([1, '✗ 599\n'])
  })

  test('has its control codes escaped', async () => {
    const body = JSON.stringify({ error_description: 'Gone.\u001b[2J' })
    const { stderr } = await shown(new Response(body, { status: 410 }), true)
    expect(plain(stderr)).toBe('✗ 410 Gone: Gone.\\u001b[2J\n')
  })
})

import { createPaint, type Output } from '../terminal.ts'
import { CallError } from './call-error.ts'
import { explain, statusLine } from './explain.ts'
import { printable, readableJson } from './readable-json.ts'

/**
 * Shows an answer: its status on stderr, its body on stdout. JSON is indented and coloured for a
 * terminal; elsewhere the body is written byte for byte.
 *
 * @returns The exit code: 0 for a status below 400, otherwise 1.
 * @throws CallError if the connection breaks before the end.
 */
export async function showAnswer(
  response: Response,
  stdout: Output,
  stderr: Output,
): Promise<number> {
  const bytes = await response.arrayBuffer().catch(() => {
    throw new CallError('The connection broke before the end of the answer.')
  })
  const body = new TextDecoder().decode(bytes)
  const status = statusLine(response.status)
  const isGood = response.status < 400
  if (isGood) stderr.write(`${createPaint(stderr)('green', '✓')} ${status}\n`)
  else {
    const { error_description: said } = (parse(body) ?? {}) as { error_description?: unknown }
    const { headers } = response
    stderr.write(
      explain(createPaint(stderr), {
        message: typeof said === 'string' ? `${status}: ${said}` : status,
        retryAfter: headers.get('Retry-After'),
        requestId: headers.get('X-Request-Id'),
      }),
    )
  }
  if (stdout.isTTY !== true) stdout.write(new Uint8Array(bytes))
  else if (body !== '') stdout.write(`${readable(body, stdout)}\n`)
  return isGood ? 0 : 1
}

function readable(body: string, stdout: Output): string {
  const json = parse(body)
  return json === undefined ? printable(body).trimEnd() : readableJson(json, createPaint(stdout))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
}

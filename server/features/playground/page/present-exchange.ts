import { element } from './dom.ts'
import { pretty, readPart, shorten } from './token-parts.ts'
import { tokenOf, type Exchange } from './wire.ts'

/** What was sent: the sealed token, and what its envelope says. */
export function presentRequest(request: Exchange): Node[] {
  const token = tokenOf(request)
  const { pathname } = new URL(request.url)
  const header = readPart(token.split('.')[0]) as { readonly req?: object } | undefined
  const proof =
    header?.req !== undefined && 'mac' in header.req
      ? ' mac proves that the sender holds the private key of step 1.'
      : ''
  return [
    element('h3', {}, 'What was sent'),
    element(
      'pre',
      {},
      `${request.method} ${pathname}\nAuthorization: Bearer ${shorten(token, 60)}`,
    ),
    element('p', {}, 'On the envelope, for the server to check:'),
    element('pre', {}, pretty(header)),
    element(
      'p',
      { class: 'soft' },
      `req describes the one request that the envelope is for: a unique name (jti), the time (iat), the method (htm) and the address (htu).${proof}`,
    ),
  ]
}

/**
 * @param options.who Who answered.
 * @param options.opened What was in a sealed answer.
 */
export function presentAnswer(
  { status, answerHeaders, answer }: Exchange,
  { who = 'the server', opened = answer } = {},
): Node[] {
  const challenge = answerHeaders.get('WWW-Authenticate')
  const lines = [
    statusInWords(status),
    ...(challenge === null ? [] : [`WWW-Authenticate: ${challenge}`]),
    ...(opened === answer
      ? []
      : [shorten(answer, 60), '', 'It is sealed. Opened by this browser:']),
    pretty(withoutKey(opened)),
  ]
  return [element('h3', {}, `What ${who} answered`), element('pre', {}, lines.join('\n'))]
}

/** Reason phrases: HTTP/2 has none (RFC 9113 §8.3.2). */
const WORDS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  400: 'Bad Request',
  401: 'Unauthorized',
}

export const statusInWords = (status: number): string => `${status} ${WORDS[status] ?? ''}`.trim()

/** The answer without the database key, which somebody looking over your shoulder must not see. */
function withoutKey(answer: string): unknown {
  const body = JSON.parse(answer) as Record<string, unknown>
  if (typeof body['database_key'] !== 'string') return body
  return { ...body, database_key: '(not shown: the key of step 9)' }
}

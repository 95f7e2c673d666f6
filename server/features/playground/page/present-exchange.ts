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

/** @param who Who answered. */
export function presentAnswer(
  { status, answerHeaders, answer }: Exchange,
  who = 'the server',
): Node[] {
  const challenge = answerHeaders.get('WWW-Authenticate')
  const lines = [
    statusInWords(status),
    ...(challenge === null ? [] : [`WWW-Authenticate: ${challenge}`]),
    pretty(withoutKey(answer)),
  ]
  return [element('h3', {}, `What ${who} answered`), element('pre', {}, lines.join('\n'))]
}

export const statusInWords = (status: number): string =>
  `${status} ${status === 200 ? 'OK' : status === 401 ? 'Unauthorized' : ''}`.trim()

/** The answer without the database key, which somebody looking over your shoulder must not see. */
function withoutKey(answer: string): unknown {
  const body = JSON.parse(answer) as Record<string, unknown>
  if (typeof body['database_key'] !== 'string') return body
  return { ...body, database_key: '(not shown: the key of step 8)' }
}

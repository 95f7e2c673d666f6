import { STATUS_CODES } from 'node:http'
import type { AuthError } from '../../client/index.ts'
import type { Paint } from '../terminal.ts'
import { printable } from './readable-json.ts'

/** What to do about an error, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  network: 'Is it running? npm start starts the server, and --server names another.',
  not_signed_in: 'Sign in first: npm run call -- sign-in <email>',
  session_ended: 'Sign in again: npm run call -- sign-in <email>',
  account_exists: 'Sign in to it: npm run call -- sign-in <email>',
  issuer_mismatch: 'That is --issuer <url> here.',
  sealing_not_offered: '--plain seals nothing: a proxy that terminates TLS can read the body.',
  origin_not_allowed: 'If you trust it with your tokens, add --service <url>.',
}

interface Failure {
  readonly message: string
  readonly advice?: string | undefined
  /** Seconds. */
  readonly retryAfter?: string | number | null | undefined
  /** The name of the request in the log of the server. */
  readonly requestId?: string | null | undefined
}

/** A failure in a few lines: what, and then what to do about it. */
export function explain(paint: Paint, { message, advice, retryAfter, requestId }: Failure): string {
  const lines = [
    ...(advice === undefined ? [] : [advice]),
    ...(/^\d+$/.test(String(retryAfter)) ? [`Try again in ${retryAfter} s.`] : []),
    ...(requestId == null ? [] : [`X-Request-Id: ${requestId}`]),
  ]
  // Indented, so that no line of the server's message passes for one of ours.
  const text = [message, ...lines].map(printable).join('\n').replaceAll('\n', '\n  ')
  return `${paint('red', '✗')} ${text}\n`
}

/** The same for an error of the client library. */
export function explainError(paint: Paint, error: AuthError): string {
  const { code, message, status, retryAfter, requestId } = error
  if (status === undefined) return explain(paint, { message, advice: ADVICE[code] })
  // Something else, such as a proxy, has answered.
  if (code === 'network') return explain(paint, { message, retryAfter, requestId })
  const refusal = { message: `${statusLine(status)}: ${message}`, advice: ADVICE[code] }
  return explain(paint, { ...refusal, retryAfter, requestId })
}

/** A status with its name, such as `404 Not Found`. */
export const statusLine = (status: number): string =>
  `${status} ${STATUS_CODES[status] ?? ''}`.trimEnd()

import { decodeProtectedHeader } from 'jose'
import { AuthError, type Fetch, type OpenedToken } from '../../client/index.ts'
import { JOSE } from '../../protocol/sealed-bodies.ts'
import { PARTS } from '../meanings.ts'
import { createPaint, type Output } from '../terminal.ts'
import { statusLine } from './explain.ts'
import { readableJson } from './readable-json.ts'

export interface Trace {
  /** In place of `fetch`: shows each request and its answer. */
  readonly fetch: Fetch
  /** Shows the access token that the client has now, unless it was shown already. */
  showToken(): Promise<void>
}

/**
 * Shows what a client sends, and each layer of its tokens. A reader can at most repeat a request that
 * is shown, and only until the server has seen it: a JWE is for its recipient alone, and a JWS is shown
 * without its signature.
 *
 * @param open Opens the client's access token.
 */
export function createTrace(output: Output, open: () => Promise<OpenedToken>): Trace {
  const paint = createPaint(output)
  const line = (text = '') => void output.write(`${text}\n`)
  const section = (title: string) => {
    line(`\n${paint('bold', title)}`)
  }
  let shown: string | undefined

  function showJwe(jwe: string): void {
    const parts = jwe.split('.')
    line(PARTS.map(([style, name]) => paint(style, name)).join('.'))
    line(PARTS.map(([style], i) => paint(style, parts[i] ?? '')).join('.'))
    section('Its header, which anyone on the way can read')
    line(readableJson(decodeProtectedHeader(jwe), paint))
  }

  async function showToken(): Promise<void> {
    const token = await open().catch((error: unknown) => {
      if (!(error instanceof AuthError)) throw error
      return undefined
    })
    if (token === undefined || token.jwe === shown) return
    shown = token.jwe
    section('The access token, as the server encrypted it to this client (JWE)')
    showJwe(token.jwe)
    section("Opened with this client's private key: a JWS, whose signature is valid")
    line(readableJson(token.header, paint))
    section('Its claims')
    line(readableJson(token.claims, paint))
  }

  return {
    showToken,
    async fetch(request) {
      const isBearer = request.headers.has('authorization')
      if (isBearer) await showToken()
      line(`\n${paint('bold', `→ ${request.method} ${request.url}`)}`)
      const jwe = await tokenOf(request)
      if (jwe !== undefined) {
        section(
          isBearer
            ? "The same JWS, encrypted again: to the recipient's key, for this one request"
            : "A token in the body: its JWS, encrypted again to the server's key",
        )
        showJwe(jwe)
        line()
      }
      if (isSealed(request)) {
        section("The body, encrypted to the server's key, for this one request")
        showJwe(await request.clone().text())
        line()
      }
      const response = await fetch(request)
      const answer = paint(response.ok ? 'green' : 'red', `← ${statusLine(response.status)}`)
      // Names the request, because two may be under way.
      line(`${answer} ${paint('dim', `for ${request.method} ${request.url}`)}`)
      if (isSealed(response)) {
        section('The answer, encrypted to this client')
        showJwe(await response.clone().text())
      }
      return response
    },
  }
}

/** Whether a body is a JWE. */
const isSealed = ({ headers }: Request | Response): boolean => headers.get('content-type') === JOSE

/** The token that a request brings: in its header, or in the body that renews or revokes one. */
async function tokenOf(request: Request): Promise<string | undefined> {
  const credentials = request.headers.get('authorization')
  if (credentials !== null) return credentials.replace(/^Bearer /, '')
  if (request.body === null || isSealed(request)) return undefined
  // Without a token in the header, the request is the library's own.
  const body = (await request.clone().json()) as { refresh_token?: string; token?: string }
  return body.refresh_token ?? body.token
}

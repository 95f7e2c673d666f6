import { BINDING_TOLERANCE } from '../../protocol/binding.ts'
import { ANSWER_TYPE, JOSE } from '../../protocol/sealed-bodies.ts'
import type { ClientContext } from '../context.ts'
import { AuthError, inPlaceOf } from '../errors.ts'
import { isJson, mediaTypeOf, textOf } from '../http.ts'
import { isTime } from '../json.ts'
import type { ClientKey } from '../keys/client-key.ts'
import { invalid } from '../token-error.ts'
import { decrypt } from '../token/decrypt.ts'
import { verify } from '../token/verify.ts'

/** The one request that an answer must be for. */
interface Asked {
  /** Loads the client's key, to which the answer is encrypted. */
  readonly loadKey: () => Promise<ClientKey>
  readonly jti: string
  /** When it was sent, and what time it is now: seconds since the epoch, by the server's clock. */
  readonly sentAt: number
  readonly now: number
}

/** The answer without a body (RFC 9110 §15.3.5). */
const NO_CONTENT = 204

/**
 * Server to client: opens a sealed answer, and checks that the server made it for this request. An
 * error may come unsealed: the server seals only for a client that it knows, and a proxy cannot seal.
 *
 * @returns The answer in JSON, or as it came if it was not sealed.
 * @throws AuthError `answer_not_sealed` for a success in plain JSON, and for any other plain success
 *   if the client must seal; `answer_invalid`; `network`.
 */
export async function openAnswer(
  context: ClientContext,
  response: Response,
  asked: Asked,
): Promise<Response> {
  const { status, statusText, ok } = response
  if (mediaTypeOf(response) !== JOSE) {
    // The server seals nothing but JSON.
    const mustBeSealed = isJson(response) || context.sealedBodies === 'required'
    if (ok && status !== NO_CONTENT && mustBeSealed) throw notSealed(response)
    return response
  }
  const jwe = await textOf(response)
  const body = await open(context, jwe, status, asked).catch(inPlaceOf('token_invalid', refused))
  const headers = new Headers(response.headers)
  headers.set('content-type', 'application/json')
  // That of the JWE.
  headers.delete('content-length')
  return new Response(JSON.stringify(body), { status, statusText, headers })
}

/** JWE → JWS → the JSON. @throws AuthError `token_invalid`, with the reason. */
async function open(
  { server }: ClientContext,
  jwe: string,
  httpStatus: number,
  { loadKey, jti, sentAt, now }: Asked,
): Promise<unknown> {
  const key = await loadKey()
  const jws = await decrypt(jwe, key, 'JWT')
  const { payload } = await verify(jws, ANSWER_TYPE, server.verificationKeys)
  const { iss, aud, iat, status, req, body } = payload
  if (iss !== server.name) throw invalid('iss')
  if (aud !== key.id) throw invalid('aud')
  // Otherwise, it could be the answer to another request.
  if (req !== jti) throw invalid('req')
  if (status !== httpStatus) throw invalid('status')
  const isFresh = isTime(iat) && iat >= sentAt - TOLERANCE && iat <= now + TOLERANCE
  if (!isFresh) throw invalid('iat')
  if (body === undefined) throw invalid('payload')
  return body
}

/** Seconds: as far as the two clocks may differ, and one because `iat` has no fractions. */
const TOLERANCE = BINDING_TOLERANCE + 1

const notSealed = ({ status }: Response): AuthError =>
  new AuthError('answer_not_sealed', 'A plain answer came in place of a sealed one.', { status })

const refused = (cause: unknown): AuthError =>
  new AuthError('answer_invalid', 'The sealed answer is not valid for this request.', { cause })

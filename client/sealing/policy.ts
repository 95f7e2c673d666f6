import type { Bytes } from '../bytes.ts'
import type { ClientContext } from '../context.ts'
import type { Reader } from '../discovery/reader.ts'
import { AuthError } from '../errors.ts'
import { mediaTypeOf } from '../http.ts'

/**
 * Whether this client seals what it sends to the server. It does not remember an offer: whoever can
 * take the offer out of the metadata could also replace keys that are not pinned, and a server that no
 * longer offers it would lock out every client. An app that must not fall back says `required`.
 *
 * @throws AuthError `sealing_not_offered` if it must seal and the server does not offer it.
 */
export async function isSealing({ server, sealedBodies }: ClientContext): Promise<boolean> {
  if (sealedBodies === 'never') return false
  const { sealedBodies: isOffered } = await server.info()
  if (!isOffered && sealedBodies === 'required') {
    throw notOffered(`${server.baseUrl} does not offer sealed bodies.`)
  }
  return isOffered
}

/** Which parts of an exchange are sealed. */
interface Sealing {
  readonly body: boolean
  readonly answer: boolean
}

/**
 * Decides which parts of a request with an access token are sealed. Other services do not seal, and
 * the server accepts only JSON in sealed form.
 *
 * @throws AuthError `sealing_not_offered` as `isSealing`, and for a body that would leave unsealed.
 */
export async function sealingOf(
  context: ClientContext,
  reader: Reader,
  request: Request,
  body: Bytes,
): Promise<Sealing> {
  // The answer to a HEAD has no body.
  const isSealable = reader.issuesTokens && request.method !== 'HEAD'
  if (!isSealable || !(await isSealing(context))) return { body: false, answer: false }
  const isJson = mediaTypeOf(request) === 'application/json'
  if (body.length > 0 && !isJson && context.sealedBodies === 'required') {
    throw notOffered('Only a body in JSON can be sealed.')
  }
  return { body: body.length > 0 && isJson, answer: true }
}

const notOffered = (message: string): AuthError => new AuthError('sealing_not_offered', message)

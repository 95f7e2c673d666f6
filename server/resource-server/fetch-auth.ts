import { MAX_BODY } from '../../protocol/limits.ts'
import { toHttpError } from '../http/error-handler.ts'
import { HttpError } from '../http/http-error.ts'
import type { ClaimsOf } from './authenticator.ts'
import {
  createVerifier,
  refusalOf,
  type Refusal,
  type Verifier,
  type VerifyOptions,
} from './create-verifier.ts'
import type { ServiceAuthOptions } from './service-options.ts'

export interface FetchAuthOptions extends ServiceAuthOptions {
  /** Bytes of a request's body at most. 64 KiB by default. */
  readonly maxBody?: number
}

/** Whose request it is, or what to answer instead of handling it. */
export type FetchVerdict<Services extends boolean = false> =
  | { readonly claims: ClaimsOf<Services>; readonly refusal?: undefined }
  | { readonly claims?: undefined; readonly refusal: Response }

export interface FetchAuth extends Pick<Verifier, 'jwks' | 'ready'> {
  /**
   * Checks the access token of a request. Call it once per request, before the body is read; the
   * handler can still read it.
   */
  verify<Services extends boolean = false>(
    request: Request,
    options?: VerifyOptions<Services>,
  ): Promise<FetchVerdict<Services>>
}

/**
 * Does the same as `createVerifier` for frameworks that handle a Fetch `Request`: Hono, Next and
 * others on Node.
 *
 * @throws StartupError for an option that cannot be used.
 * @example
 * const auth = await createFetchAuth({ issuer, url: 'https://notes.example.com', logger })
 * async function handle(request: Request): Promise<Response> {
 *   const { claims, refusal } = await auth.verify(request)
 *   if (refusal) return refusal
 *   return Response.json({ hello: claims.sub })
 * }
 */
export async function createFetchAuth(options: FetchAuthOptions): Promise<FetchAuth> {
  const { maxBody = MAX_BODY } = options
  const verifier = await createVerifier(options)
  return {
    jwks: verifier.jwks,
    ready: () => verifier.ready(),
    async verify<Services extends boolean>(
      request: Request,
      needs?: VerifyOptions<Services>,
    ): Promise<FetchVerdict<Services>> {
      let body: Uint8Array
      try {
        body = await readBytes(request, maxBody)
      } catch (error) {
        return { refusal: toResponse(refusalOf(toHttpError(error, options.logger))) }
      }
      const { method, url } = request
      const headers = rawHeadersOf(request.headers)
      const sent = { method, url, headers, body }
      const { claims, refusal } = await verifier.verify(sent, needs)
      return refusal === undefined ? { claims } : { refusal: toResponse(refusal) }
    },
  }
}

const toResponse = ({ body, status, headers }: Refusal): Response =>
  new Response(body, { status, headers })

/**
 * Fetch joins repeated headers with commas. This splits them again, so that a second Authorization
 * header is seen. Only the start of a value has a scheme and a space (RFC 9110 §11.6.2).
 */
const rawHeadersOf = (headers: Headers): string[] =>
  [...headers].flatMap(([name, value]) =>
    name === 'authorization'
      ? value.split(/, *(?=[\w-]+ )/).flatMap((one) => [name, one])
      : [name, value],
  )

/**
 * The bytes of a body, which the handler can still read.
 *
 * @throws HttpError 413; 400 for a body that is incomplete.
 */
async function readBytes(request: Request, max: number): Promise<Uint8Array> {
  if (request.bodyUsed) throw new Error('Something else has read the body.')
  const tooLarge = new HttpError('payload_too_large', `The body is over ${max / 1024} KiB.`)
  if (Number(request.headers.get('Content-Length')) > max) throw tooLarge
  const copy: ReadableStream<Uint8Array> | null = request.clone().body
  const reader = copy?.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const chunk = await reader?.read().catch(() => {
      throw new HttpError('invalid_request', 'The body is incomplete.')
    })
    if (chunk?.value === undefined) return Buffer.concat(chunks)
    length += chunk.value.length
    if (length > max) {
      // Not awaited: it settles when the handler cancels the other copy.
      reader?.cancel().catch(() => undefined)
      throw tooLarge
    }
    chunks.push(chunk.value)
  }
}

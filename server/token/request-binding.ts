import { hash } from 'node:crypto'
import { z } from 'zod'
import { BINDING_TOLERANCE, type Binding } from '../../protocol/binding.ts'
import { MAX_HTU } from '../../protocol/limits.ts'
import { invalid } from '../errors/token-error.ts'
import { TooManyTries } from '../errors/too-many-tries.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'
import type { ReplayCache } from '../limits/replay-cache.ts'

/** Seconds after which there may be room for new requests. */
const FULL_FOR = 60

interface BindingPolicy {
  /** The URL at which clients reach this server or service. */
  readonly publicUrl: string
  readonly requestBinding: 'optional' | 'required'
  readonly clock: () => number
  /** Earlier bindings are refused: they may have been used. Milliseconds since the epoch. */
  readonly notBefore: number
  readonly replayCache: ReplayCache
}

/** The request that a token came with. */
export interface IncomingRequest {
  readonly method: string
  readonly path: string
  readonly body: Uint8Array
  /** Called for a replay before it is refused. */
  readonly onReplay: (claims: BoundClaims) => void
}

/** The claims that identify the owner of the token. */
export interface BoundClaims {
  readonly jti: string
  readonly sub: string
  readonly sid?: string | undefined
  readonly client_id?: string
}

/** Checks that a token's `req` header parameter matches the request that it came with. */
export function createRequestBinding(policy: BindingPolicy) {
  const { publicUrl, requestBinding, clock, notBefore, replayCache } = policy
  return {
    /**
     * @param header The protected header of the token's JWE.
     * @param claims The claims of the JWT inside, with which a replay is reported.
     * @param place Where the token is. The binding of a token in the body has no digest, because the
     *   body cannot contain its own.
     * @throws TokenError; UnavailableError if there is no room to remember the request;
     *   TooManyTries if the account has used up its share of the room.
     */
    async check(
      request: IncomingRequest,
      header: Readonly<Record<string, unknown>>,
      claims: BoundClaims,
      place: 'header' | 'body' = 'header',
    ): Promise<void> {
      if (!Object.hasOwn(header, 'req')) {
        if (requestBinding === 'required') throw invalid('req_missing')
        return
      }
      const now = clock()
      const { jti, iat } = checkBinding(header['req'], {
        method: request.method,
        url: publicUrl + request.path,
        body: place === 'header' ? request.body : undefined,
        now,
        notBefore,
      })
      switch (await replayCache.remember(`${claims.jti} ${jti}`, now, claims.sub, iat * 1000)) {
        case 'new':
          return
        case 'seen':
          request.onReplay(claims)
          throw invalid('req_replayed')
        // The cache no longer knows bindings of that time.
        case 'forgotten':
          throw invalid('req_before_start')
        case 'full':
          throw new UnavailableError('the replay memory is full', FULL_FOR)
        case 'account_full':
          throw new TooManyTries('requests', FULL_FOR)
      }
    },
  }
}

const bindingSchema: z.ZodType<Binding> = z.object({
  jti: z.string().min(1).max(128),
  iat: z.int().nonnegative(),
  htm: z.string(),
  // Printable ASCII without a backslash, which URL parsers read as a slash. They also drop line
  // breaks.
  htu: z
    .string()
    .max(MAX_HTU)
    .regex(/^[!-[\]-~]*$/),
  dig: z.string().optional(),
})

/** What a binding must match. */
export interface ExpectedBinding {
  readonly method: string
  /** As the client sees it: the issuer's URL and the path. */
  readonly url: string
  /** `undefined` if the token is in the body. */
  readonly body: Uint8Array | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Earlier bindings are refused: they may have been used. Milliseconds since the epoch. */
  readonly notBefore: number
}

/**
 * Checks that a token was sealed for this request. The replay cache checks that it is sent once.
 *
 * @param req The header parameter, whatever it is.
 * @throws TokenError
 */
export function checkBinding(req: unknown, request: ExpectedBinding): Binding {
  const binding = bindingSchema.safeParse(req).data
  if (binding === undefined) throw invalid('req')
  if (Math.abs(request.now / 1000 - binding.iat) > BINDING_TOLERANCE) throw invalid('req_iat')
  if (binding.iat * 1000 < request.notBefore) throw invalid('req_before_start')
  if (binding.htm !== request.method) throw invalid('req_htm')
  if (!isSameUrl(binding.htu, request.url)) throw invalid('req_htu')
  if (binding.dig !== digest(request.body)) throw invalid('req_dig')
  // `mac` is checked by request-proof.ts.
  return binding
}

/** Segments of dots, and backslashes: URL parsers resolve them, but most routers do not. */
const AMBIGUOUS = /\\|\/(\.|%2e){1,2}(\/|$)/i

/**
 * RFC 9449 §4.3: query and fragment are ignored, the rest is compared in normal form. The host in a
 * token is only compared, because parsing a host takes quadratic time, due to Punycode.
 *
 * @param url If its path is ambiguous, only that same spelling fits: a router may read `/admin/../notes`
 *   as a path below `/admin`, and a token that was bound to `/notes` is not for that.
 */
function isSameUrl(htu: string, url: string): boolean {
  if (htu === url) return true
  const [bound = ''] = htu.split(/[?#]/, 1)
  const [requested = ''] = url.split(/[?#]/, 1)
  if (bound === requested) return true
  const [, origin = '', path = ''] = /^([^:/]+:\/\/[^/]+)(.*)$/.exec(bound) ?? []
  if (AMBIGUOUS.test(requested) || !URL.canParse(requested)) return false
  const expected = new URL(requested)
  const defaultPort = expected.protocol === 'https:' ? /:443$/ : /:80$/
  if (origin.toLowerCase().replace(defaultPort, '') !== expected.origin) return false
  return new URL(expected.origin + path).pathname === expected.pathname
}

function digest(body: Uint8Array | undefined): string | undefined {
  if (body === undefined || body.length === 0) return undefined
  return hash('sha256', body, 'base64url')
}

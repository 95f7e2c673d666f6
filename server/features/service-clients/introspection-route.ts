import { z } from 'zod'
import type { Core } from '../../composition.ts'
import { requestOf } from '../../http/access-token.ts'
import { acceptBody } from '../../http/route-table.ts'
import { parseBody } from '../../http/body.ts'
import type { AppContext, Handler } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { opaque } from '../../http/fields.ts'
import { HttpError } from '../../http/http-error.ts'
import { addressKey } from '../../limits/client-address.ts'
import { sign } from '../../token/signature.ts'
import { seal } from '../../token/jwe/seal-jwe.ts'
import { nowInSeconds } from '../../token/token-context.ts'
import { assertionFields, privateKeyJwt, type AuthenticateService } from './authenticate-service.ts'
import { recipientOf } from './client-credentials.ts'
import type { Introspect, Introspection } from './introspection.ts'
import type { ServiceClient } from './service-clients.ts'

/** The scope of clients that may introspect. */
const SCOPE = 'introspect'
/** RFC 9701 §4, §5. */
const JWT_TYPE = 'token-introspection+jwt'
const JWT_MEDIA_TYPE = `application/${JWT_TYPE}`

const tokenSchema = z.object({ token: opaque })

const introspectionAnswer = z.union([
  z.object({ active: z.literal(false) }),
  // Loose, for claims of your own.
  z.looseObject({
    active: z.literal(true),
    token_type: z.literal('Bearer'),
    iss: z.string(),
    sub: z.string(),
    aud: z.string(),
    client_id: z.string(),
    iat: z.int(),
    exp: z.int(),
    jti: z.string(),
    sid: z.string().optional(),
    scope: z.string(),
    cnf: z.object({ jwk: z.looseObject({ kty: z.string(), crv: z.string() }) }).optional(),
  }),
])

/**
 * `POST /introspect` (RFC 7662), in JSON or as a JWT for the service that asks (RFC 9701). A service
 * authenticates by an assertion in the body, and not by an access token: see index.ts.
 */
export function createIntrospectionRoute(
  core: Pick<Core, 'config' | 'rateLimits' | 'tokens'>,
  authenticate: AuthenticateService,
  introspect: Introspect,
): Handler {
  const { config, rateLimits, tokens } = core

  /** Only failures count for their address: a stranger must not use up what services need. */
  async function authenticateCounting(ctx: AppContext): Promise<ServiceClient> {
    try {
      return await authenticate(ctx)
    } catch (error) {
      if (error instanceof HttpError) {
        await rateLimits.consume('refresh', 'address', addressKey(ctx.ip))
        await acceptBody(ctx)
      }
      throw error
    }
  }

  /** Claims → sign → encrypt, as for a token. */
  function toJwt(client: ServiceClient, introspection: Introspection): string {
    const claims = { iss: config.issuer, aud: client.id, iat: nowInSeconds(tokens) }
    const complete = { ...claims, token_introspection: introspection }
    const jws = sign(complete, JWT_TYPE, tokens.keystore.signingKey)
    return seal(jws, recipientOf(client), config.algorithms.encryptionEnc, { cty: 'JWT' })
  }

  const introspectionRoute: Handler = async (ctx) => {
    const client = await authenticateCounting(ctx)
    await acceptBody(ctx)
    if (!client.scope.split(' ').includes(SCOPE)) {
      throw new HttpError('insufficient_scope', `This needs the scope ${SCOPE}.`)
    }
    const { token } = parseBody(ctx, tokenSchema, { form: true })
    const introspection = await introspect(token, requestOf(ctx), ctx.state.log)
    if (ctx.accepts('application/json', JWT_MEDIA_TYPE) === JWT_MEDIA_TYPE) {
      ctx.set('Content-Type', JWT_MEDIA_TYPE)
      ctx.body = toJwt(client, introspection)
    } else {
      ctx.body = introspection
    }
  }
  return documented(introspectionRoute, {
    summary: 'Whether an access token is good now (RFC 7662).',
    body: tokenSchema.extend(assertionFields),
    form: true,
    security: { private_key_jwt: privateKeyJwt(config.publicUrl) },
    answerType: JWT_MEDIA_TYPE,
    200: introspectionAnswer,
    401: ['invalid_client'],
    403: ['insufficient_scope'],
  })
}

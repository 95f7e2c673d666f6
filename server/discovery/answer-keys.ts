import { hash } from 'node:crypto'
import type { JSONWebKeySet } from 'jose'
import { z } from 'zod'
import type { AppContext } from '../http/context.ts'

/** Seconds for which a client may cache the keys. */
export const KEYS_MAX_AGE = 300

/** The schema of public keys. Other members depend on `kty`. */
export const jwkSet = z
  .object({
    keys: z.array(
      z.looseObject({ kty: z.string(), use: z.string(), alg: z.string(), kid: z.string() }),
    ),
  })
  .meta({ id: 'JwkSet' })

/** Answers with public keys (RFC 7517 §5), and with an ETag, so that asking again is cheap. */
export function answerKeys(ctx: AppContext, jwks: JSONWebKeySet): void {
  const body = JSON.stringify(jwks)
  ctx.status = 200
  ctx.set('Cache-Control', `public, max-age=${KEYS_MAX_AGE}`)
  ctx.etag = hash('sha256', body, 'base64url')
  ctx.type = 'application/json'
  if (ctx.fresh) ctx.status = 304
  else ctx.body = body
}

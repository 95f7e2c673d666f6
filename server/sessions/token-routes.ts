import { z } from 'zod'
import type { RefreshTokenClaims } from '../../protocol/tokens.ts'
import { audit } from '../log/audit.ts'
import { requestOf } from '../http/bearer.ts'
import type { AppContext, Handler } from '../http/context.ts'
import { HttpError } from '../http/http-error.ts'
import { parseBody } from '../http/body.ts'
import type { Core } from '../composition.ts'
import type { FeatureParts } from '../feature.ts'
import { endOwnSession } from './own-sessions.ts'
import { accessToken, refreshToken } from '../token/kinds.ts'
import { TokenError } from '../errors/token-error.ts'
import { rememberAgreement, validate } from '../token/validate.ts'
import { opaque, text } from '../http/fields.ts'

// Longer than any that is registered with IANA.
const grantSchema = z.object({ grant_type: text(128) })
const refreshSchema = z.object({
  refresh_token: opaque,
  client_id: opaque.optional(),
  scope: text(1024).optional(),
})
const revokeSchema = z.object({ token: opaque })

export function tokenRoutes(core: Core, features: readonly FeatureParts[]) {
  const { accounts, binding, clients, database, rateLimits, sessions, tokens } = core

  /** The token endpoint (RFC 6749 §3.2): each `grant_type` has a handler of its own. */
  const grant: Handler = async (ctx) => {
    // RFC 6749 §5.1 asks for it beside Cache-Control.
    ctx.set('Pragma', 'no-cache')
    const { grant_type } = parseBody(ctx, grantSchema, { form: true })
    const handler = grants.get(grant_type)
    if (handler === undefined) {
      throw new HttpError(
        'unsupported_grant_type',
        `grant_type must be ${[...grants.keys()].join(' or ')}.`,
      )
    }
    await handler(ctx)
  }

  /** A fresh pair for a refresh token (RFC 6749 §6), which is used up (RFC 9700 §4.14.2). */
  const refresh: Handler = async (ctx) => {
    const body = parseBody(ctx, refreshSchema, { form: true })
    const valid = await check(async () => {
      const token = await validate(tokens, refreshToken, body.refresh_token)
      await binding.check(requestOf(ctx), token.header, token.claims, 'body')
      return token
    })
    const { claims } = valid
    // Dead tokens, of an earlier generation, use up nothing of the living.
    await rateLimits.consume('refresh', 'account', `${claims.sid}:${claims.gen ?? 0}`)
    const [client, account] = await Promise.all([
      clients.find(claims.client_id),
      accounts.find(claims.sub),
    ])
    if (client === undefined || account === undefined) throw refused()
    if (body.client_id !== undefined && body.client_id !== client.id) throw refused()
    const scope = narrow(account.scope, body.scope)
    const refreshed = await sessions.refresh(claims, client, account, scope)
    if (refreshed.outcome === 'reused') {
      const ids = { account_id: claims.sub, session_id: claims.sid, client_id: claims.client_id }
      audit(ctx.state.log, 'refresh_reused', ids)
      audit(ctx.state.log, 'session_ended', ids)
    }
    if (refreshed.outcome !== 'refreshed') throw refused()
    rememberAgreement(tokens, valid)
    ctx.body = { ...refreshed.tokens, ...(scope === account.scope ? {} : { scope }) }
  }

  /** Ends the session of a token (RFC 7009); says 200 whatever the token was. */
  const revoke: Handler = async (ctx) => {
    const { token } = parseBody(ctx, revokeSchema, { form: true })
    const claims = await readAny(ctx, token)
    ctx.body = {}
    if (claims === undefined) return
    const { sub, sid, gen = 0 } = claims
    if (await endOwnSession(database, sub, sid, gen)) {
      audit(ctx.state.log, 'session_ended', {
        account_id: sub,
        session_id: sid,
        client_id: claims.client_id,
      })
    }
  }

  /** The claims of a valid access or refresh token, if it is not bound to another request. */
  async function readAny(ctx: AppContext, token: string): Promise<RefreshTokenClaims | undefined> {
    for (const kind of [accessToken, refreshToken]) {
      try {
        const { claims, header } = await validate<RefreshTokenClaims>(tokens, kind, token)
        await binding.check(requestOf(ctx), header, claims, 'body')
        return claims
      } catch (error) {
        if (!(error instanceof TokenError)) throw error
      }
    }
    return undefined
  }

  const grants = new Map<string, Handler>([
    ['refresh_token', refresh],
    ...features.flatMap((feature) => Object.entries(feature.grants ?? {})),
  ])
  return { grant, revoke }
}

/** A token that is refused here is a grant that is refused (RFC 6749 §5.2). */
async function check<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof TokenError ? refused() : error
  }
}

/** RFC 6749 §6: no more than was granted. */
function narrow(granted: string, requested: string | undefined): string {
  if (requested === undefined) return granted
  const grantedWords = new Set(granted.split(' '))
  const words = new Set(requested.split(' '))
  if (![...words].every((word) => grantedWords.has(word))) {
    throw new HttpError('invalid_scope', 'scope reaches beyond what the account has.')
  }
  return [...words].join(' ')
}

const refused = (): HttpError =>
  new HttpError('invalid_grant', 'The refresh token is not valid, has expired or was used.')

import { z } from 'zod'
import type { RefreshTokenClaims } from '../../protocol/tokens.ts'
import { audit } from '../log/audit.ts'
import { requestOf } from '../http/access-token.ts'
import type { AppContext, Handler } from '../http/context.ts'
import { documented } from '../http/documented.ts'
import { HttpError } from '../http/http-error.ts'
import { narrowScope } from '../http/require-scope.ts'
import { acceptBody } from '../http/route-table.ts'
import { parseBody } from '../http/body.ts'
import type { Core } from '../composition.ts'
import type { FeatureParts } from '../feature.ts'
import { addressKey } from '../limits/client-address.ts'
import { endOwnSession } from './end-sessions.ts'
import { tokenPair } from './token-pair.ts'
import { accessToken, refreshToken, type TokenKind } from '../token/claims.ts'
import { invalid, isFinal, TokenError, undecided } from '../errors/token-error.ts'
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
  const { binding, clients, database, rateLimits, sessions, tokens } = core

  /**
   * Counts a request for its address. A token whose session lives does not count, because others
   * behind the same address must not use up its allowance.
   */
  async function countForAddress(ctx: AppContext): Promise<void> {
    await rateLimits.consume('refresh', 'address', addressKey(ctx.ip))
    await acceptBody(ctx)
  }

  /**
   * Counts what is refused for its address. A refused token becomes a refused grant (RFC 6749
   * §5.2), which ends the client's session, so only if that is certain.
   */
  async function countingFailures<T>(ctx: AppContext, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const isToken = error instanceof TokenError
      if (isToken) ctx.state.logged = { refresh: error.reason }
      if (isToken || error instanceof HttpError) await countForAddress(ctx)
      if (!isToken) throw error
      throw isFinal(error) ? refused() : undecided()
    }
  }

  /** The token endpoint (RFC 6749 §3.2): each `grant_type` has a handler of its own. */
  const grant: Handler = async (ctx) => {
    // RFC 6749 §5.1 asks for it beside Cache-Control.
    ctx.set('Pragma', 'no-cache')
    const handler = await countingFailures(ctx, () => {
      const { grant_type } = parseBody(ctx, grantSchema, { form: true })
      const handler = grants.get(grant_type)
      if (handler !== undefined) return handler
      throw new HttpError(
        'unsupported_grant_type',
        `grant_type must be ${[...grants.keys()].join(' or ')}.`,
      )
    })
    // The grants of features count every request.
    if (handler !== refreshGrant) await countForAddress(ctx)
    await handler(ctx)
  }

  /** A fresh pair for a refresh token (RFC 6749 §6), which is used up (RFC 9700 §4.14.2). */
  const refresh: Handler = async (ctx) => {
    const { body, valid, account } = await countingFailures(ctx, async () => {
      const body = parseBody(ctx, refreshSchema, { form: true })
      return { body, ...(await readInBody(ctx, refreshToken, body.refresh_token)) }
    })
    const { claims } = valid
    // A thief who had tokens of an earlier generation has used up nothing of this one.
    await rateLimits.consume('refresh', 'account', `${claims.sid}:${claims.gen ?? 0}`)
    await acceptBody(ctx)
    const client = await clients.find(claims.client_id)
    if (client === undefined) throw refused()
    if (body.client_id !== undefined && body.client_id !== client.id) throw refused()
    const scope = narrowScope(account.scope, body.scope)
    const refreshed = await sessions.refresh(claims, client, account, scope)
    ctx.state.logged = { refresh: refreshed.outcome }
    if (refreshed.outcome === 'reused') {
      const ids = { account_id: claims.sub, session_id: claims.sid, client_id: claims.client_id }
      audit(ctx.state.log, 'refresh_reused', ids)
      audit(ctx.state.log, 'session_ended', ids)
    }
    if (refreshed.outcome !== 'refreshed') throw refused()
    rememberAgreement(tokens, valid)
    ctx.body = { ...refreshed.tokens, ...(scope === account.scope ? {} : { scope }) }
  }

  /** Ends the session of a token (RFC 7009); says 200 whatever the token was, if that is certain. */
  const revoke: Handler = async (ctx) => {
    const { token } = parseBody(ctx, revokeSchema, { form: true })
    const claims = await readAny(ctx, token)
    await (claims === undefined ? countForAddress(ctx) : acceptBody(ctx))
    ctx.body = {}
    if (claims === undefined) return
    const { sub, sid, client_id, gen = 0 } = claims
    if (await endOwnSession(database, sub, sid, gen)) {
      audit(ctx.state.log, 'session_ended', { account_id: sub, session_id: sid, client_id })
    }
  }

  /**
   * Reads a token in a body, with the account of its session.
   *
   * @throws TokenError
   */
  async function readInBody(ctx: AppContext, kind: TokenKind<RefreshTokenClaims>, token: string) {
    const valid = await validate(tokens, kind, token)
    const account = await sessions.ownerOf(valid.claims)
    if (account === undefined) throw invalid('session')
    // Last, so that a dead token does not use up the account's share of the replay cache.
    await binding.check(requestOf(ctx), valid.header, valid.claims, 'body')
    return { valid, account }
  }

  /** The claims of an access or refresh token whose session lives, if it is not bound to another request. */
  async function readAny(ctx: AppContext, token: string): Promise<RefreshTokenClaims | undefined> {
    for (const kind of [accessToken, refreshToken]) {
      try {
        return (await readInBody(ctx, kind, token)).valid.claims
      } catch (error) {
        if (!(error instanceof TokenError)) throw error
        if (!isFinal(error)) {
          await countForAddress(ctx)
          throw undecided()
        }
      }
    }
    return undefined
  }

  const refreshGrant = documented(refresh, {
    summary: 'A fresh pair for a refresh token, which is used up (RFC 6749 §6).',
    body: refreshSchema,
    200: tokenPair.extend({ scope: z.string().optional() }),
    400: ['invalid_grant', 'invalid_scope'],
  })
  const grants = new Map<string, Handler>([
    ['refresh_token', refreshGrant],
    ...features.flatMap(({ grants = {} }) => Object.entries(grants)),
  ])
  return {
    grant: documented(grant, {
      summary: 'Issues tokens (RFC 6749 §3.2).',
      form: true,
      grants,
      400: ['unsupported_grant_type'],
    }),
    revoke: documented(revoke, {
      summary: 'Ends the session of a token, whatever it is (RFC 7009).',
      body: revokeSchema,
      form: true,
      200: z.object({}),
    }),
  }
}

const refused = (): HttpError =>
  new HttpError('invalid_grant', 'The refresh token is not valid, has expired or was used.')

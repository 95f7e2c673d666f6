import { z } from 'zod'
import { presentSession, sessionAnswer } from '../../accounts/session-answer.ts'
import type { Core } from '../../composition.ts'
import { parseBody } from '../../http/body.ts'
import type { AppContext, Handler } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { opaque, text } from '../../http/fields.ts'
import { HttpError } from '../../http/http-error.ts'
import { addressKey } from '../../limits/client-address.ts'
import { audit, auditEnded } from '../../log/audit.ts'
import type { Admit } from './admission.ts'
import type { IdToken, VerifyIdToken } from './id-token-verifier.ts'
import { IdTokenRefused } from './id-token-refused.ts'
import { findOwner } from './identities.ts'
import { refusalOf } from './refusals.ts'
import type { FederationDatabase } from './tables.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

const exchangeSchema = z.object({
  subject_token: opaque,
  subject_token_type: z.literal(ID_TOKEN, `must be ${ID_TOKEN}`),
  requested_token_type: z.literal(ACCESS_TOKEN, `must be ${ACCESS_TOKEN}`).optional(),
  actor_token: z.undefined('is not supported').optional(),
  client_id: opaque,
  scope: text(1024).optional(),
  resource: opaque.optional(),
  audience: opaque.optional(),
})

const exchangeAnswer = sessionAnswer.extend({
  issued_token_type: z.literal(ACCESS_TOKEN),
  scope: z.string().optional(),
})

interface ExchangeOptions {
  readonly database: FederationDatabase
  readonly verify: VerifyIdToken
  readonly admit: Admit
}

/** Exchanges an ID token for a session (RFC 8693 §2). */
export function createExchange(
  { clients, config, rateLimits, sessions }: Core,
  { database, verify, admit }: ExchangeOptions,
): Handler {
  /** Counts an unknown person as a sign-up, before anything is written. */
  async function limitSignUps(ctx: AppContext, token: IdToken): Promise<void> {
    if ((await findOwner(database, token)) !== undefined) return
    await rateLimits.consume('signUp', 'address', addressKey(ctx.ip))
  }

  async function exchange(ctx: AppContext): Promise<void> {
    const body = parseBody(ctx, exchangeSchema, { form: true })
    const isForUs = (target = config.issuer) => target === config.issuer
    if (!isForUs(body.resource) || !isForUs(body.audience)) {
      throw new HttpError(
        'invalid_target',
        'Tokens are issued only for this server and its services.',
      )
    }
    const client = await clients.get(body.client_id)
    const token = await verify(body.subject_token, client.id)
    await limitSignUps(ctx, token)
    const admission = await admit(token)
    if (admission.outcome === 'account_exists') {
      throw new HttpError(
        'account_exists',
        'An account with this e-mail address exists: sign in to it, then link this identity.',
      )
    }
    const { account, outcome, ended } = admission
    const { log } = ctx.state
    const started = await sessions.start(account, client)
    if (started === undefined) throw new IdTokenRefused('account_changed')
    const { signedIn } = started
    const ids = {
      account_id: account.id,
      session_id: signedIn.session_id,
      client_id: client.id,
    }
    if (outcome === 'created') audit(log, 'account_created', ids)
    if (outcome === 'linked') audit(log, 'identity_linked', ids)
    audit(log, 'token_exchanged', ids)
    auditEnded(log, account.id, [...ended, ...started.ended])
    ctx.body = {
      ...presentSession(account, signedIn),
      issued_token_type: ACCESS_TOKEN,
      // RFC 6749 §3.3: the scope is the account's, whatever was requested.
      ...(body.scope === undefined ? {} : { scope: account.scope }),
    }
  }

  const answer: Handler = async (ctx) => {
    try {
      await exchange(ctx)
    } catch (error) {
      if (error instanceof IdTokenRefused) {
        audit(ctx.state.log, 'exchange_refused', { source: addressKey(ctx.ip) })
      }
      throw refusalOf(ctx, error)
    }
  }
  return documented(answer, {
    summary: 'A session for an ID token of another provider (RFC 8693).',
    body: exchangeSchema,
    200: exchangeAnswer,
    400: ['invalid_client', 'invalid_target'],
    409: ['account_exists'],
  })
}

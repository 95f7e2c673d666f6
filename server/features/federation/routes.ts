import { z } from 'zod'
import { NO_PASSWORD } from '../../passwords/password-hash.ts'
import type { Core } from '../../composition.ts'
import type { Proof } from '../../feature.ts'
import { parseBody } from '../../http/body.ts'
import type { AppContext, Handler } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { opaque } from '../../http/fields.ts'
import { HttpError } from '../../http/http-error.ts'
import { audit } from '../../log/audit.ts'
import type { SessionState } from '../../sessions/authenticate.ts'
import { asSession } from '../../sessions/lock-session.ts'
import { idsOf } from '../../sessions/session.ts'
import type { VerifyIdToken } from './id-token-verifier.ts'
import { IdTokenRefused } from './id-token-refused.ts'
import { findOwner, insertIdentity, listIdentities, type Identity } from './identities.ts'
import { refusalOf } from './refusals.ts'
import { federationDatabase } from './tables.ts'
import type { TrustedIssuer } from './trusted-issuers.ts'
import { useUp } from './used-id-tokens.ts'

/** Seconds: the maximum age of an ID token that replaces the password. */
const MAX_PROOF_AGE = 300

const linkSchema = z.object({ subject_token: opaque })
const identityAnswer = z
  .object({ identity_id: z.string(), issuer: z.string(), created_at: z.iso.datetime() })
  .meta({ id: 'Identity' })

export function identityRoutes(
  { clock, database }: Pick<Core, 'clock' | 'database'>,
  issuers: readonly TrustedIssuer[],
  verify: VerifyIdToken,
) {
  const tables = federationDatabase(database)
  const isTrusted = ({ issuer }: Identity) => issuers.some((trusted) => trusted.issuer === issuer)

  const list: Handler<SessionState> = async (ctx) => {
    const identities = await listIdentities(tables, ctx.state.session.account.id)
    ctx.body = { identities: identities.map(present) }
  }

  /** Links the person in an ID token to the signed-in account. */
  const link: Handler<SessionState> = async (ctx) => {
    const { session } = ctx.state
    const { subject_token } = parseBody(ctx, linkSchema)
    const token = await verified(ctx, subject_token)
    const identity = await asSession(database, session, clock(), async (core) => {
      const trx = federationDatabase(core)
      const inserted = await insertIdentity(trx, session.account, token, clock())
      if (inserted !== undefined) await useUp(trx, token)
      return inserted
    }).catch((error: unknown) => {
      throw refusalOf(ctx, error)
    })
    if (identity === undefined) {
      throw new HttpError('identity_exists', 'This identity is already linked to an account.')
    }
    audit(ctx.state.log, 'identity_linked', idsOf(session))
    ctx.status = 201
    ctx.body = present(identity)
  }

  /** Unlinks an identity, unless it is the only way to sign in to the account. */
  const unlink: Handler<SessionState> = async (ctx) => {
    const { session } = ctx.state
    const { account } = session
    const id = ctx.params['identity_id'] ?? ''
    await asSession(database, session, clock(), async (core) => {
      const trx = federationDatabase(core)
      const identities = await listIdentities(trx, account.id)
      if (!identities.some((identity) => identity.id === id)) {
        throw new HttpError('not_found', 'There is no such identity.')
      }
      const isLast = !identities.some((identity) => identity.id !== id && isTrusted(identity))
      if (isLast && account.password_hash === NO_PASSWORD) {
        throw new HttpError(
          'last_way_in',
          'This identity is the only way to sign in: set a password by a reset first.',
        )
      }
      await trx.deleteFrom('identities').where('id', '=', id).execute()
    })
    audit(ctx.state.log, 'identity_unlinked', idsOf(session))
    ctx.status = 204
  }

  /** Accepts a fresh ID token of one of the account's identities in place of the password. */
  const prove: Proof = async (ctx, subjectToken) => {
    const { account } = ctx.state.session
    const token = await verified(ctx, subjectToken)
    try {
      const oldest = Math.floor(clock() / 1000) - MAX_PROOF_AGE
      if (token.issuedAt < oldest) throw new IdTokenRefused('iat')
      if ((token.authTime ?? oldest) < oldest) throw new IdTokenRefused('auth_time')
      const owner = await findOwner(tables, token)
      if (owner?.id !== account.id) throw new IdTokenRefused('identity')
      await useUp(tables, token)
    } catch (error) {
      throw refusalOf(ctx, error)
    }
  }

  const verified = (ctx: AppContext<SessionState>, subjectToken: string) =>
    verify(subjectToken, ctx.state.session.clientId).catch((error: unknown) => {
      throw refusalOf(ctx, error)
    })

  return {
    list: documented(list, {
      summary: 'Lists the identities that are linked to the account.',
      200: z.object({ identities: z.array(identityAnswer) }),
    }),
    link: documented(link, {
      summary: 'Links the person in an ID token to the account.',
      body: linkSchema,
      201: identityAnswer,
      409: ['identity_exists'],
    }),
    unlink: documented(unlink, {
      summary: 'Unlinks an identity.',
      204: null,
      404: ['not_found'],
      409: ['last_way_in'],
    }),
    prove,
  }
}

const present = ({ id, issuer, created_at }: Identity) => ({
  identity_id: id,
  issuer,
  created_at: new Date(created_at).toISOString(),
})

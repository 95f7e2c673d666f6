import { z } from 'zod'
import type { Core } from '../composition.ts'
import type { FeatureParts } from '../feature.ts'
import { bodyHas, parseBody } from '../http/body.ts'
import type { Handler } from '../http/context.ts'
import { documented } from '../http/documented.ts'
import { opaque } from '../http/fields.ts'
import { tokenRefused } from '../http/bearer-challenge.ts'
import { audit, auditEnded } from '../log/audit.ts'
import type { SessionState } from '../sessions/authenticate.ts'
import { endOwnSession } from '../sessions/end-sessions.ts'
import { idsOf } from '../sessions/session.ts'
import { tokenPair } from '../sessions/token-pair.ts'
import { accountSchema, name, password, presentAccount } from './account-fields.ts'
import { checkNewPassword } from '../passwords/password-policy.ts'

const readAnswer = z.object({
  account: accountSchema,
  session_id: z.string(),
  database_key: z.string().nullable(),
})
const renameSchema = z.object({ name })
const changeSchema = z.object({ current_password: password, new_password: password })
const passwordSchema = z.object({ password })
const proofSchema = (member: string) => z.object({ [member]: opaque })

export function accountRoutes(core: Core, features: readonly FeatureParts[]) {
  const { accounts, clients, config, database, databaseKeys, passwords, sessions, signIn } = core
  const proofs = features.flatMap((feature) => Object.entries(feature.proofs ?? {}))

  /** Answers who is signed in, with the key to their local data. */
  const read: Handler<SessionState> = async (ctx) => {
    const { id, account, sealedDatabaseKey } = ctx.state.session
    const databaseKey = await databaseKeys.open(sealedDatabaseKey)
    if (databaseKey === null) {
      ctx.state.log.warn({ session_id: id }, 'the server key of a database key has been removed')
    }
    ctx.body = { account: presentAccount(account), session_id: id, database_key: databaseKey }
  }

  const rename: Handler<SessionState> = async (ctx) => {
    const { account } = ctx.state.session
    const body = parseBody(ctx, renameSchema)
    await accounts.rename(ctx.state.session, body.name)
    ctx.body = { account: presentAccount({ ...account, name: body.name }) }
  }

  /** Sets a new password, and ends every other session and every older token of this session. */
  const changePassword: Handler<SessionState> = async (ctx) => {
    const body = parseBody(ctx, changeSchema)
    const { session } = ctx.state
    const { account, clientId } = session
    checkNewPassword('new_password', body.new_password, account.email, config)
    await signIn.confirm(session, body.current_password)
    const client = await clients.find(clientId)
    // The client was removed, and its sessions with it.
    if (client === undefined) throw tokenRefused()
    const passwordHash = await passwords.hash(body.new_password, { account: account.email_key })
    const next = sessions.prepareGeneration(session, client)
    const ended = await accounts.changePassword(session, passwordHash, next)
    audit(ctx.state.log, 'password_changed', idsOf(session))
    auditEnded(ctx.state.log, account.id, ended)
    ctx.body = next.tokens
  }

  /** Ends the session that the request came with. */
  const logout: Handler<SessionState> = async (ctx) => {
    const { session } = ctx.state
    const { account, id, generation } = session
    if (!(await endOwnSession(database, account.id, id, generation))) throw tokenRefused()
    audit(ctx.state.log, 'logout', idsOf(session))
    ctx.status = 204
  }

  /**
   * Asks the signed-in person to prove their identity again, because a token may be stolen: with the
   * password, or with a proof that a feature accepts in its place. Throws if the body has no valid
   * proof.
   */
  const confirmOwner: Handler<SessionState> = async (ctx) => {
    const other = proofs.find(([member]) => bodyHas(ctx, member))
    if (other === undefined || bodyHas(ctx, 'password')) {
      await signIn.confirm(ctx.state.session, parseBody(ctx, passwordSchema).password)
    } else {
      const [member, check] = other
      await check(ctx, parseBody(ctx, proofSchema(member))[member] ?? '')
    }
  }

  /** Removes the account for good. */
  const remove: Handler<SessionState> = async (ctx) => {
    const { session } = ctx.state
    await confirmOwner(ctx)
    await accounts.remove(session)
    audit(ctx.state.log, 'account_deleted', idsOf(session))
    ctx.status = 204
  }

  return {
    read: documented(read, {
      summary: 'Tells who is signed in, with the key to their local data.',
      200: readAnswer,
    }),
    rename: documented(rename, {
      summary: 'Renames the account.',
      body: renameSchema,
      200: z.object({ account: accountSchema }),
    }),
    changePassword: documented(changePassword, {
      summary: 'Sets a new password. Ends every other session and every older token of this one.',
      body: changeSchema,
      200: tokenPair,
      400: ['invalid_grant'],
      429: ['rate_limited'],
    }),
    logout: documented(logout, { summary: 'Ends the current session.', 204: null }),
    remove: documented(remove, {
      summary: 'Removes the account for good.',
      body: [passwordSchema, ...proofs.map(([member]) => proofSchema(member))],
      204: null,
      400: ['invalid_grant'],
      429: ['rate_limited'],
    }),
  }
}

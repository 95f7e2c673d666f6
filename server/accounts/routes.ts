import { z } from 'zod'
import { presentAccount } from './accounts.ts'
import { createConfirmOwner } from './confirm-owner.ts'
import { checkNewPassword } from './new-password.ts'
import { audit } from '../log/audit.ts'
import type { Handler, SessionState } from '../http/context.ts'
import { HttpError } from '../http/http-error.ts'
import { parseBody } from '../http/body.ts'
import type { Core } from '../core.ts'
import type { FeatureParts } from '../feature.ts'
import { openDatabaseKey } from '../sessions/database-key.ts'
import { email, line, opaque, password } from '../http/fields.ts'
import { knownClient, unknownClient } from '../clients/known-client.ts'

const name = line(200)
// Yours to replace: what else a person tells you when they sign up.
const signUpSchema = z.object({ email, password, name: name.optional(), client_id: opaque })
const renameSchema = z.object({ name })

export function accountRoutes(core: Core, features: readonly FeatureParts[]) {
  const { config, accounts, clients, passwords, sessions, tokens } = core

  const confirmOwner = createConfirmOwner(core, features)

  /** Makes an account and signs it in. */
  const signUp: Handler = async (ctx) => {
    const body = parseBody(ctx, signUpSchema)
    const client = await knownClient(clients, body.client_id)
    checkNewPassword('password', body.password, body.email, config)
    if ((await accounts.findByEmail(body.email)) !== undefined) throw accountExists()
    const passwordHash = await passwords.hash(body.password)
    const account = await accounts.create({ email: body.email, name: body.name, passwordHash })
    // Somebody else signed up with the address while the password was being hashed.
    if (account === undefined) throw accountExists()
    const started = await sessions.start(account, client)
    // If either was removed or changed in the moment since, there is an account and no session.
    if (started.outcome === 'client_removed') throw unknownClient()
    if (started.outcome !== 'started') throw accountExists()
    const { signedIn } = started
    audit(ctx.state.log, 'account_created', {
      account_id: account.id,
      session_id: signedIn.session_id,
      client_id: client.id,
    })
    ctx.status = 201
    const answers = await Promise.all(
      features.map(async ({ signUpAnswer }) => signUpAnswer?.(account, client, ctx.state.log)),
    )
    const more = Object.assign({}, ...answers) as object
    ctx.body = { account: presentAccount(account), ...signedIn, ...more }
  }

  /** Who is signed in, and the key to their local data. */
  const read: Handler<SessionState> = async (ctx) => {
    const { id, account, sealedDatabaseKey } = ctx.state.session
    const databaseKey = await openDatabaseKey(tokens, sealedDatabaseKey)
    if (databaseKey === null) {
      ctx.state.log.warn({ session_id: id }, 'the key of a database key has been removed')
    }
    ctx.body = { account: presentAccount(account), session_id: id, database_key: databaseKey }
  }

  const rename: Handler<SessionState> = async (ctx) => {
    const { account } = ctx.state.session
    const body = parseBody(ctx, renameSchema)
    await accounts.rename(ctx.state.session, body.name)
    ctx.body = { account: presentAccount({ ...account, name: body.name }) }
  }

  /** Removes the account for good. */
  const remove: Handler<SessionState> = async (ctx) => {
    const { account, id, clientId } = ctx.state.session
    await confirmOwner(ctx)
    await accounts.remove(ctx.state.session)
    audit(ctx.state.log, 'account_deleted', {
      account_id: account.id,
      session_id: id,
      client_id: clientId,
    })
    ctx.status = 204
  }

  return { signUp, read, rename, remove }
}

const accountExists = (): HttpError =>
  new HttpError('account_exists', 'There is an account with this e-mail address.')

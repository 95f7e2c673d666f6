import { z } from 'zod'
import { presentAccount, type Account, type Accounts } from '../accounts/accounts.ts'
import { needsRehash, type PasswordHasher } from '../accounts/password-hash.ts'
import { passwordFault } from '../accounts/password-policy.ts'
import type { Client, Clients } from '../clients/clients.ts'
import type { Config } from '../config.ts'
import type { AppContext, Handler, SessionState } from '../context.ts'
import { challenge, HttpError, tokenRefused } from '../errors.ts'
import { parseBody } from '../middleware/body.ts'
import { openDatabaseKey } from '../sessions/database-key.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { TokenContext } from '../token/context.ts'
import { email, line, text } from './fields.ts'

interface AccountDependencies {
  readonly config: Config
  readonly accounts: Accounts
  readonly clients: Clients
  readonly passwords: PasswordHasher
  readonly sessions: Sessions
  readonly tokens: TokenContext
}

const name = line(200)
// Yours to replace: what else a person tells you when they sign up.
const signUpSchema = z.object({ email, password: text, name: name.optional(), client_id: text })
const loginSchema = z.object({ email: text, password: text, client_id: text })
const renameSchema = z.object({ name })
const removeSchema = z.object({ password: text })

export function accountRoutes(dependencies: AccountDependencies) {
  const { config, accounts, clients, passwords, sessions, tokens } = dependencies

  /** Makes an account and signs it in. */
  const signUp: Handler = async (ctx) => {
    const body = parseBody(ctx, signUpSchema)
    const client = await knownClient(body.client_id)
    const fault = passwordFault(body.password, body.email, config.passwordMinLength)
    if (fault !== undefined) throw new HttpError('invalid_request', `password ${fault}.`)
    if ((await accounts.findByEmail(body.email)) !== undefined) throw accountExists()
    const passwordHash = await passwords.hash(body.password)
    const account = await accounts.create({ email: body.email, name: body.name, passwordHash })
    // Somebody else signed up with the address while the password was being hashed.
    if (account === undefined) throw accountExists()
    await answerSession(ctx, account, client, 201)
  }

  /** Signs in. An unknown address and a wrong password are one case, in words and in time. */
  const login: Handler = async (ctx) => {
    const body = parseBody(ctx, loginSchema)
    const client = await knownClient(body.client_id)
    const account = await accounts.findByEmail(body.email)
    const isRight = await passwords.verify(account?.password_hash, body.password)
    if (account === undefined || !isRight) {
      throw new HttpError('invalid_grant', 'The e-mail address or the password is wrong.', {
        status: 401,
        headers: { 'WWW-Authenticate': challenge() },
      })
    }
    if (needsRehash(account.password_hash)) {
      await accounts.setPasswordHash(account.id, await passwords.hash(body.password))
    }
    await answerSession(ctx, account, client, 200)
  }

  /** Ends the session that the request came with. */
  const logout: Handler<SessionState> = async (ctx) => {
    await sessions.end(ctx.state.session.id)
    ctx.status = 204
  }

  /** Who is signed in, and the key to their local data. */
  const read: Handler<SessionState> = async (ctx) => {
    const { id, account, sealedDatabaseKey } = ctx.state.session
    const databaseKey = await openDatabaseKey(tokens, sealedDatabaseKey)
    if (databaseKey === undefined) {
      // The encryption key was replaced under a living session: nothing can bring its data back.
      ctx.state.log.warn({ session_id: id }, 'session ended: its database key cannot be opened')
      await sessions.end(id)
      throw tokenRefused()
    }
    ctx.body = { account: presentAccount(account), session_id: id, database_key: databaseKey }
  }

  const rename: Handler<SessionState> = async (ctx) => {
    const { account } = ctx.state.session
    const body = parseBody(ctx, renameSchema)
    await accounts.rename(account.id, body.name)
    ctx.body = { account: presentAccount({ ...account, name: body.name }) }
  }

  /** Removes the account for good; the password again, because a token alone may be stolen. */
  const remove: Handler<SessionState> = async (ctx) => {
    const { account } = ctx.state.session
    const body = parseBody(ctx, removeSchema)
    if (!(await passwords.verify(account.password_hash, body.password))) {
      throw new HttpError('invalid_grant', 'The password is wrong.')
    }
    await accounts.remove(account.id)
    ctx.status = 204
  }

  async function knownClient(id: string): Promise<Client> {
    const client = await clients.find(id)
    if (client === undefined) {
      throw new HttpError('invalid_client', 'client_id is not that of a registered client.')
    }
    return client
  }

  async function answerSession(
    ctx: AppContext,
    account: Account,
    client: Client,
    status: number,
  ): Promise<void> {
    const session = await sessions.start(account, client)
    ctx.status = status
    ctx.body = { account: presentAccount(account), ...session }
  }

  return { signUp, login, logout, read, rename, remove }
}

const accountExists = (): HttpError =>
  new HttpError('account_exists', 'There is an account with this e-mail address.')

import { z } from 'zod'
import type { Core } from '../composition.ts'
import { RefusedError } from '../errors/refused-error.ts'
import { TooManyTries } from '../errors/too-many-tries.ts'
import type { FeatureParts } from '../feature.ts'
import { acceptBody } from '../http/route-table.ts'
import { parseBody } from '../http/body.ts'
import type { AppContext, Handler } from '../http/context.ts'
import { documented } from '../http/documented.ts'
import { opaque } from '../http/fields.ts'
import { challenge } from '../http/bearer-challenge.ts'
import { HttpError } from '../http/http-error.ts'
import { addressKey } from '../limits/client-address.ts'
import { audit, auditEnded } from '../log/audit.ts'
import { email, emailLookup, password, signUpFields } from './account-fields.ts'
import { presentSession, sessionAnswer } from './session-answer.ts'
import { checkNewPassword } from '../passwords/password-policy.ts'

const signUpSchema = z.object({ ...signUpFields, email, password, client_id: opaque })
const loginSchema = z.object({ email: emailLookup, password, client_id: opaque })

export function signInRoutes(core: Core, features: readonly FeatureParts[]) {
  const { accounts, clients, config, passwords, rateLimits, sessions, signIn } = core

  /** Creates an account and signs in to it. */
  const signUp: Handler = async (ctx) => {
    const { client_id, password, ...fields } = parseBody(ctx, signUpSchema)
    const client = await clients.get(client_id)
    checkNewPassword('password', password, fields.email, config)
    if ((await accounts.findByEmail(fields.email)) !== undefined) throw accountExists()
    const passwordHash = await passwords.hash(password, { address: addressKey(ctx.ip) })
    const account = await accounts.create({ ...fields, passwordHash })
    // Somebody else signed up with the address while the password was being hashed.
    if (account === undefined) throw accountExists()
    const started = await sessions.start(account, client)
    // The account was changed just after it was created. It exists, but has no session.
    if (started === undefined) throw accountExists()
    const { signedIn } = started
    const ids = { account_id: account.id, session_id: signedIn.session_id, client_id: client.id }
    audit(ctx.state.log, 'account_created', ids)
    ctx.status = 201
    const answers = await Promise.all(
      features.map(async ({ signUpAnswer }) => signUpAnswer?.(account, client, ctx.state.log)),
    )
    const more = Object.assign({}, ...answers) as object
    ctx.body = { ...presentSession(account, signedIn), ...more }
  }

  /**
   * Reads a login from the body. A login with an invalid body or an unknown client never reaches
   * `signIn`, so it is counted for its address here.
   */
  async function readLogin(ctx: AppContext, address: string) {
    try {
      const { client_id, ...credentials } = parseBody(ctx, loginSchema)
      const onAllowed = () => acceptBody(ctx)
      return { ...credentials, address, onAllowed, client: await clients.get(client_id) }
    } catch (error) {
      if (!(error instanceof HttpError || error instanceof RefusedError)) throw error
      await rateLimits.consume('login', 'address', address)
      await acceptBody(ctx)
      throw error
    }
  }

  /** Signs in. An unknown address gets the same answer in the same time as a wrong password. */
  const login: Handler = async (ctx) => {
    const source = addressKey(ctx.ip)
    const attempt = await readLogin(ctx, source)
    const { email, client } = attempt
    const client_id = client.id
    let account
    try {
      account = await signIn.check(attempt)
    } catch (error) {
      if (error instanceof TooManyTries && error.limit === 'wrong_passwords') {
        audit(ctx.state.log, 'login_locked', { client_id, source })
      }
      throw error
    }
    // A password that was changed during its check counts as wrong.
    const started = account && (await sessions.start(account, client))
    if (account === undefined || started === undefined) {
      const known = account ?? (await accounts.findByEmail(email))
      audit(ctx.state.log, 'login_failed', { account_id: known?.id, client_id, source })
      throw new HttpError('invalid_grant', 'The e-mail address or the password is wrong.', {
        status: 401,
        headers: { 'WWW-Authenticate': challenge() },
      })
    }
    const { signedIn, ended } = started
    const { session_id } = signedIn
    audit(ctx.state.log, 'login', { account_id: account.id, session_id, client_id })
    auditEnded(ctx.state.log, account.id, ended)
    ctx.body = presentSession(account, signedIn)
  }

  const members = features.map(({ signUpMembers }) => signUpMembers)
  return {
    signUp: documented(signUp, {
      summary: 'Creates an account and signs in to it.',
      body: signUpSchema,
      201: sessionAnswer.extend(Object.assign({}, ...members) as z.ZodRawShape),
      400: ['invalid_client'],
      409: ['account_exists'],
    }),
    login: documented(login, {
      summary: 'Signs in. An unknown address gets the same answer as a wrong password.',
      body: loginSchema,
      200: sessionAnswer,
      400: ['invalid_client'],
      401: ['invalid_grant'],
    }),
  }
}

const accountExists = (): HttpError =>
  new HttpError('account_exists', 'There is an account with this e-mail address.')

import { z } from 'zod'
import { emailKey } from './email.ts'
import { passwordFault } from './password-policy.ts'
import { audit, auditEnded } from '../log/audit.ts'
import type { Handler, SessionState } from '../http/context.ts'
import { HttpError, tokenRefused } from '../http/http-error.ts'
import { addressKey } from '../limits/client-address.ts'
import { parseBody } from '../http/body.ts'
import type { Services } from '../composition.ts'
import { TokenError } from '../token/token-error.ts'
import { email, opaque, password } from '../http/fields.ts'

const changeSchema = z.object({ current_password: password, new_password: password })
const resetSchema = z.object({ token: opaque, new_password: password })
const requestSchema = z.object({ email })

export function passwordRoutes(services: Services) {
  const { binding, clients, config, credentials, passwords, passwordResets } = services
  const { rateLimits, sessions, wrongPasswords } = services

  /** Sets a new password; every other session ends, and every older token of this one. */
  const change: Handler<SessionState> = async (ctx) => {
    const body = parseBody(ctx, changeSchema)
    const { session } = ctx.state
    const { account, id, clientId } = session
    checkNew(body.new_password, account.email)
    await services.confirmPassword(session, body.current_password)
    const client = await clients.find(clientId)
    // Removed, and its sessions with it.
    if (client === undefined) throw tokenRefused()
    const passwordHash = await passwords.hash(body.new_password)
    const next = await sessions.prepareGeneration(session, client)
    const ended = await credentials.changePassword(session, passwordHash, next)
    const ids = { account_id: account.id, session_id: id, client_id: clientId }
    audit(ctx.state.log, 'password_changed', ids)
    auditEnded(ctx.state.log, account.id, ended)
    ctx.body = next.tokens
  }

  /** Sets a new password by a reset token, which is used up; every session ends. */
  const reset: Handler = async (ctx) => {
    const body = parseBody(ctx, resetSchema)
    const found = await passwordResets.find(body.token)
    if (found === undefined) throw resetRefused()
    const { account, jtiHash, claims, header } = found
    await binding.check(ctx, header, claims, 'body').catch((error: unknown) => {
      throw error instanceof TokenError ? resetRefused() : error
    })
    // Before the token is used up: a password that is refused costs nothing.
    checkNew(body.new_password, account.email)
    const passwordHash = await passwords.hash(body.new_password)
    const ended = await credentials.resetPassword(account, passwordHash, jtiHash)
    if (ended === undefined) throw resetRefused()
    await wrongPasswords.forgive(account.email_key)
    audit(ctx.state.log, 'password_reset', { account_id: account.id })
    auditEnded(ctx.state.log, account.id, ended)
    ctx.status = 204
  }

  /** Has a reset token mailed. The answer is the same, and as fast, whether there is an account or not. */
  const requestReset: Handler = async (ctx) => {
    const body = parseBody(ctx, requestSchema)
    // By address and account: nobody can use up the owner's allowance from elsewhere.
    await rateLimits.consume('reset', 'account', `${addressKey(ctx.ip)} ${emailKey(body.email)}`)
    passwordResets.request(body.email, ctx.state.log)
    ctx.status = 202
    ctx.body = {}
  }

  function checkNew(password: string, address: string): void {
    const fault = passwordFault(password, address, config)
    if (fault !== undefined) throw new HttpError('invalid_request', `new_password ${fault}.`)
  }

  return { change, requestReset, reset }
}

const resetRefused = (): HttpError =>
  new HttpError('invalid_grant', 'The reset token is not valid, has expired or was used.')

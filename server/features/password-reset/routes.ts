import { z } from 'zod'
import { emailKey } from '../../accounts/email.ts'
import { checkNewPassword } from '../../passwords/password-policy.ts'
import type { Core } from '../../composition.ts'
import { parseBody } from '../../http/body.ts'
import { requestOf } from '../../http/access-token.ts'
import type { Handler } from '../../http/context.ts'
import { email, password } from '../../accounts/account-fields.ts'
import { documented } from '../../http/documented.ts'
import { opaque } from '../../http/fields.ts'
import { HttpError } from '../../http/http-error.ts'
import { addressKey } from '../../limits/client-address.ts'
import type { RateLimits } from '../../limits/rate-limits.ts'
import { audit, auditEnded } from '../../log/audit.ts'
import { TokenError } from '../../errors/token-error.ts'
import type { PasswordResets } from './password-resets.ts'

const requestSchema = z.object({ email })
const resetSchema = z.object({ token: opaque, new_password: password })

export function resetRoutes(core: Core, resets: PasswordResets, limits: RateLimits<'reset'>) {
  const { binding, config, passwords, wrongPasswords } = core

  /** Mails a reset token. The answer and its time are the same whether or not the account exists. */
  const request: Handler = async (ctx) => {
    const body = parseBody(ctx, requestSchema)
    // Per address and account, so that nobody elsewhere can use up the owner's allowance.
    await limits.consume('reset', 'account', `${addressKey(ctx.ip)} ${emailKey(body.email)}`)
    resets.request(body.email, ctx.state.log)
    ctx.status = 202
    ctx.body = {}
  }

  /** Sets a new password with a reset token, and ends every session. */
  const complete: Handler = async (ctx) => {
    const body = parseBody(ctx, resetSchema)
    const found = await resets.find(body.token)
    if (found === undefined) throw resetRefused()
    const { account, claims, header } = found
    // A token that is used as it came in the mail has none, whatever REQUEST_BINDING says.
    if (Object.hasOwn(header, 'req')) {
      await binding.check(requestOf(ctx), header, claims, 'body').catch((error: unknown) => {
        throw error instanceof TokenError ? resetRefused() : error
      })
    }
    // First, so that a refused password does not use up the token.
    checkNewPassword('new_password', body.new_password, account.email, config)
    const requester = { account: account.email_key }
    const passwordHash = await passwords.hash(body.new_password, requester)
    const ended = await resets.complete(found, passwordHash)
    if (ended === undefined) throw resetRefused()
    await wrongPasswords.forgive(account.email_key)
    audit(ctx.state.log, 'password_reset', { account_id: account.id })
    auditEnded(ctx.state.log, account.id, ended)
    ctx.status = 204
  }

  return {
    request: documented(request, {
      summary: 'Mails a reset token, if there is an account with this address.',
      body: requestSchema,
      202: z.object({}),
    }),
    complete: documented(complete, {
      summary: 'Sets a new password with a reset token, and ends every session.',
      body: resetSchema,
      204: null,
      400: ['invalid_grant'],
    }),
  }
}

const resetRefused = (): HttpError =>
  new HttpError('invalid_grant', 'The reset token is not valid, has expired or was used.')

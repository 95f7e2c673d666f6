import { z } from 'zod'
import { audit, auditEnded } from '../log/audit.ts'
import type { Handler, SessionState } from '../http/context.ts'
import { tokenRefused } from '../http/http-error.ts'
import { parseBody } from '../http/body.ts'
import type { Core } from '../core.ts'
import { checkNewPassword } from './new-password.ts'
import { password } from '../http/fields.ts'

const changeSchema = z.object({ current_password: password, new_password: password })

export function passwordRoutes(core: Core) {
  const { clients, config, confirmPassword, credentials, passwords, sessions } = core

  /** Sets a new password; every other session ends, and every older token of this one. */
  const change: Handler<SessionState> = async (ctx) => {
    const body = parseBody(ctx, changeSchema)
    const { session } = ctx.state
    const { account, id, clientId } = session
    checkNewPassword('new_password', body.new_password, account.email, config)
    await confirmPassword(session, body.current_password)
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

  return { change }
}

import { audit, auditEnded } from '../log/audit.ts'
import type { Handler } from '../http/context.ts'
import { HttpError, tokenRefused } from '../http/http-error.ts'
import type { Core } from '../composition.ts'
import type { SessionState } from './authenticate.ts'
import { asSession } from './lock-session.ts'
import { endOwnSession, endSessionsOf, listSessions } from './own-sessions.ts'
import { idsOf } from './sessions.ts'

export function sessionRoutes({ config, database, tokens }: Core) {
  /** Lists where the account is signed in. */
  const list: Handler<SessionState> = async (ctx) => {
    const { account, id } = ctx.state.session
    const rows = await listSessions(database, account.id, tokens.clock(), config.maxSessions)
    ctx.body = {
      sessions: rows.map((row) => ({
        session_id: row.id,
        client_id: row.client_id,
        client_name: row.client_name,
        created_at: new Date(row.created_at).toISOString(),
        last_used_at: new Date(row.last_used_at).toISOString(),
        current: row.id === id,
      })),
    }
  }

  /** Ends one of the account's sessions. Somebody else's session gets the same answer as none. */
  const endOne: Handler<SessionState> = async (ctx) => {
    const { account } = ctx.state.session
    const sessionId = ctx.params['session_id'] ?? ''
    const isEnded = await asSession(database, ctx.state.session, tokens.clock(), (trx) =>
      endOwnSession(trx, account.id, sessionId),
    )
    if (!isEnded) {
      throw new HttpError('not_found', 'The account has no such session.')
    }
    audit(ctx.state.log, 'session_ended', { account_id: account.id, session_id: sessionId })
    ctx.status = 204
  }

  /** Ends every session but the current one. */
  const endOthers: Handler<SessionState> = async (ctx) => {
    const { account, id } = ctx.state.session
    const ended = await asSession(database, ctx.state.session, tokens.clock(), (trx) =>
      endSessionsOf(trx, account.id, id),
    )
    auditEnded(ctx.state.log, account.id, ended)
    ctx.status = 204
  }

  /** Ends the session that the request came with. */
  const logout: Handler<SessionState> = async (ctx) => {
    const { session } = ctx.state
    const { account, id, generation } = session
    if (!(await endOwnSession(database, account.id, id, generation))) throw tokenRefused()
    audit(ctx.state.log, 'logout', idsOf(session))
    ctx.status = 204
  }

  return { list, endOne, endOthers, logout }
}

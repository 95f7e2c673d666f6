import { z } from 'zod'
import { audit, auditEnded } from '../../log/audit.ts'
import type { Handler } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { HttpError } from '../../http/http-error.ts'
import type { Core } from '../../composition.ts'
import type { SessionState } from '../../sessions/authenticate.ts'
import { asSession } from '../../sessions/lock-session.ts'
import { endOwnSession, endSessionsOf } from '../../sessions/end-sessions.ts'
import { listSessions } from './list-sessions.ts'

const listAnswer = z.object({
  sessions: z.array(
    z
      .object({
        session_id: z.string(),
        client_id: z.string(),
        client_name: z.string().nullable(),
        created_at: z.iso.datetime(),
        last_used_at: z.iso.datetime(),
        current: z.boolean().meta({ description: 'Whether this is the session of the request.' }),
      })
      .meta({ id: 'Session' }),
  ),
})

export function ownSessionRoutes({ config, database, tokens }: Core) {
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

  return {
    list: documented(list, { summary: 'Lists where the account is signed in.', 200: listAnswer }),
    endOne: documented(endOne, {
      summary: "Ends one of the account's sessions.",
      204: null,
      404: ['not_found'],
    }),
    endOthers: documented(endOthers, {
      summary: 'Ends every session but the current one.',
      204: null,
    }),
  }
}

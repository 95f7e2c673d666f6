import { sql } from 'kysely'
import type { Database } from '../../database/open.ts'
import type { FindSession, FoundSession } from '../../sessions/find-session.ts'
import { inOneBatch } from '../../database/batch.ts'

/** The claims that identify a session. */
interface SessionQuery {
  readonly sid: string
  readonly sub: string
  readonly clientId: string
  readonly generation: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/**
 * Looks up the sessions of several simultaneous requests in one round trip. Each lookup happens
 * after its request, because nothing is cached.
 */
export function createBatchedLookup(db: Database): FindSession {
  const find = inOneBatch((queries: readonly SessionQuery[]) => findSessions(db, queries))
  return ({ sid, sub, client_id: clientId, gen: generation = 0 }, now) =>
    find({ sid, sub, clientId, generation, now })
}

async function findSessions(
  db: Database,
  queries: readonly SessionQuery[],
): Promise<(FoundSession | undefined)[]> {
  const column = <Name extends keyof SessionQuery>(name: Name) =>
    queries.map((query) => query[name])
  const { rows } = await sql<FoundSession & { asked: number }>`
    select asked.number::integer as asked, accounts.*,
      sessions.database_key, sessions.last_used_at, sessions.expires_at
    from unnest(${column('sid')}::text[], ${column('sub')}::text[], ${column('clientId')}::text[],
      ${column('generation')}::integer[], ${column('now')}::bigint[])
      with ordinality as asked (sid, sub, client_id, generation, now, number)
    join sessions on sessions.id = asked.sid and sessions.account_id = asked.sub
      and sessions.client_id = asked.client_id and sessions.generation = asked.generation
      and sessions.expires_at > asked.now
    join accounts on accounts.id = sessions.account_id`.execute(db)
  const found: (FoundSession | undefined)[] = queries.map(() => undefined)
  for (const { asked, ...row } of rows) found[asked - 1] = row
  return found
}

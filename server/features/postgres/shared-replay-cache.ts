import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { BATCH, inBatches } from '../../database/delete-expired.ts'
import { createReplayShares, REMEMBERED_FOR, type ReplayCache } from '../../limits/replay-cache.ts'
import { inOneBatch } from '../../database/batch.ts'
import type { SharedDatabase } from './shared-tables.ts'

interface Request {
  readonly id: Buffer
  /** Milliseconds since the epoch, like the other times. */
  readonly now: number
  readonly madeAt: number
}

/**
 * A replay cache in the database that several servers share: each bound request is accepted once in
 * total. Requests that arrive together are recorded together. The shares of accounts are per
 * server.
 *
 * @param capacity The most entries that this server may add within the lifetime of one entry.
 */
export function createSharedReplayCache(db: SharedDatabase, capacity?: number): ReplayCache {
  let shares = createReplayShares(capacity)
  let begun = -Infinity
  const record = inOneBatch((requests: readonly Request[]) => recordAll(db, requests))

  return {
    async remember(id, now, account, madeAt) {
      if (now - begun >= REMEMBERED_FOR) {
        shares = createReplayShares(capacity)
        begun = now
      }
      const refusal = shares.refusalOf(account)
      if (refusal !== undefined) return refusal
      const answer = await record({ id: hash('sha256', id, 'buffer'), now, madeAt })
      if (answer === 'new') shares.add(account)
      return answer
    },
  }
}

/** One round trip, unless the epoch is missing. */
async function recordAll(db: SharedDatabase, requests: readonly Request[]) {
  const ids = requests.map(({ id }) => id)
  const expiries = requests.map(({ now }) => now + REMEMBERED_FOR)
  const { rows } = await sql<{ added: Buffer[] | null; begun_at: number | null }>`
    with added as (
      insert into replays (id, expires_at)
      select * from unnest(${ids}::bytea[], ${expiries}::bigint[])
      on conflict do nothing returning id
    )
    select (select array_agg(id) from added) as added,
      (select begun_at from replay_epoch) as begun_at`.execute(db)
  const [row] = rows
  const now = Math.max(...requests.map(({ now }) => now))
  const begunAt = row?.begun_at ?? (await beginEpoch(db, now))
  await untilBegun(begunAt, now)
  const added = new Set(row?.added?.map((id) => id.toString('hex')))
  return requests.map(({ id, madeAt }) => {
    // Of several equal ones in a batch, the first is new.
    if (!added.delete(id.toString('hex'))) return 'seen'
    return madeAt < begunAt ? 'forgotten' : 'new'
  })
}

/**
 * Begins an epoch if there is none: the database has crashed and forgotten every request, or is a
 * copy. Requests made before now may be replays. An `iat` is in whole seconds, so requests are
 * accepted from the next full second on.
 *
 * @param now Milliseconds since 1970.
 * @returns The same, of the moment from which requests are accepted.
 */
export async function beginEpoch(db: SharedDatabase, now: number): Promise<number> {
  await db
    .insertInto('replay_epoch')
    .values({ begun_at: Math.ceil(now / 1000) * 1000 })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const { begun_at } = await db
    .selectFrom('replay_epoch')
    .select('begun_at')
    .executeTakeFirstOrThrow()
  return begun_at
}

/**
 * Waits until an epoch has begun, so that a request that is bound again after a refusal is accepted.
 * A longer wait would mean that the clocks of two servers differ.
 */
export async function untilBegun(begunAt: number, now: number): Promise<void> {
  const wait = begunAt - now
  if (wait > 0 && wait <= 1000) await sleep(wait)
}

/** Forgets requests whose bindings have expired. @param now Milliseconds since the epoch. */
export const sweepReplays = (db: SharedDatabase, now: number): Promise<number> =>
  inBatches(() =>
    db
      .deleteFrom('replays')
      .where('id', 'in', (rows) =>
        rows.selectFrom('replays').select('id').where('expires_at', '<=', now).limit(BATCH),
      )
      .executeTakeFirstOrThrow(),
  )

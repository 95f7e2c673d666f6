import type { JWK } from 'jose'
import type { Selectable } from 'kysely'
import type { Config } from '../config/config.ts'
import type { Database } from '../database/open.ts'
import { rowReader } from '../database/read-row.ts'
import type { ClientRow } from '../database/schema.ts'
import { inTransaction } from '../database/transaction.ts'
import { RefusedError } from '../errors/refused-error.ts'
import type { EncryptionAlg } from '../../protocol/algorithms.ts'
import type { Recipient } from '../token/jwe/seal-jwe.ts'

export interface Client {
  /** The thumbprint of its key. */
  readonly id: string
  readonly name: string | null
  /** The public members of its encryption key (RFC 7517 §4). */
  readonly jwk: JWK
  /** The key management algorithm that it is used with. */
  readonly alg: EncryptionAlg
  /** Whether its tokens are key-bound: useful only to the holder of its private key. */
  readonly isKeyBound: boolean
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

/** A client before it is stored. */
export type Registration = Omit<Client, 'createdAt'>

export type Clients = ReturnType<typeof createClients>

export function createClients(
  db: Database,
  clock: () => number,
  { unusedClientTtl }: Pick<Config, 'unusedClientTtl'>,
) {
  const read = rowReader(
    db,
    db
      .selectFrom('clients')
      .selectAll()
      .where('client_id', '=', '')
      .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', 0)]))
      .compile(),
  )

  async function find(id: string): Promise<Client | undefined> {
    const row = await read([id, clock()])
    return row && toClient(row)
  }

  return {
    find,

    /** @throws RefusedError if there is no such client. */
    async get(id: string): Promise<Client> {
      const client = await find(id)
      if (client === undefined) throw new RefusedError('unknown_client')
      return client
    },

    /**
     * Stores a client, or finds the client with this key; `isNew` says which. Without a session, it
     * is kept for `unusedClientTtl` after its last registration.
     */
    async register({ id, name, jwk, alg, isKeyBound }: Registration) {
      const now = clock()
      const expiresAt = now + unusedClientTtl * 1000
      return inTransaction(db, async (trx) => {
        // A second registration changes nothing else, because anybody who has seen the public key
        // could send it. The write comes first, because it takes the lock that keeps the sweep out.
        await trx
          .updateTable('clients')
          .set({ expires_at: expiresAt })
          .where('client_id', '=', id)
          .where('expires_at', 'is not', null)
          .execute()
        const { numInsertedOrUpdatedRows } = await trx
          .insertInto('clients')
          .values({
            client_id: id,
            client_name: name,
            jwk: JSON.stringify({ ...jwk, alg }),
            key_bound_tokens: Number(isKeyBound),
            created_at: now,
            expires_at: expiresAt,
          })
          .onConflict((conflict) => conflict.column('client_id').doNothing())
          .executeTakeFirstOrThrow()
        const row = await trx
          .selectFrom('clients')
          .selectAll()
          .where('client_id', '=', id)
          .executeTakeFirstOrThrow()
        return { client: toClient(row), isNew: numInsertedOrUpdatedRows === 1n }
      })
    },
  }
}

/**
 * Marks a client as used, so that it is not removed. Call it in the transaction that begins its
 * session, so that neither exists without the other.
 *
 * @throws RefusedError if the client has been removed.
 */
export async function markUsed(trx: Database, id: string): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('clients')
    .set({ expires_at: null })
    .where('client_id', '=', id)
    .executeTakeFirstOrThrow()
  if (numUpdatedRows === 0n) throw new RefusedError('unknown_client')
}

/**
 * A client as a recipient, with the algorithm that it was registered for. So a change of
 * TOKEN_ENCRYPTION_ALG or of the curve does not affect registered clients.
 */
export const recipientOf = ({ id, jwk, alg }: Client): Recipient => ({
  kid: id,
  publicKey: jwk,
  alg,
})

function toClient(row: Selectable<ClientRow>): Client {
  // Safe cast: `register` made it.
  const { alg, ...jwk } = JSON.parse(row.jwk) as JWK & { alg: EncryptionAlg }
  const { client_id: id, client_name: name, created_at: createdAt } = row
  return { id, name, jwk, alg, isKeyBound: row.key_bound_tokens === 1, createdAt }
}

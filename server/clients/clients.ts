import type { JWK } from 'jose'
import type { Database } from '../database/open.ts'
import type { ClientRow } from '../database/schema.ts'
import { requiredKeyType, type Algorithms } from '../keystore/algorithms.ts'
import type { Recipient } from '../token/encrypt.ts'
import { importPublicKey } from '../token/public-key.ts'
import type { Registration } from './registration.ts'

export interface Client {
  readonly id: string
  readonly name: string | null
  /** The public members of its encryption key (RFC 7517 §4). */
  readonly jwk: JWK
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

export interface Clients {
  /** Stores a client, or finds the one that has this key: `isNew` says which. */
  register(registration: Registration): Promise<{ client: Client; isNew: boolean }>
  find(id: string): Promise<Client | undefined>
}

export function createClients(db: Database, clock: () => number): Clients {
  const find = async (id: string) => {
    const row = await db
      .selectFrom('clients')
      .selectAll()
      .where('client_id', '=', id)
      .executeTakeFirst()
    return row && toClient(row)
  }
  return {
    find,
    async register({ id, name, jwk }) {
      const row: ClientRow = {
        client_id: id,
        client_name: name ?? null,
        jwk: JSON.stringify(jwk),
        created_at: clock(),
      }
      const inserted = await db
        .insertInto('clients')
        .values(row)
        .onConflict((conflict) => conflict.column('client_id').doNothing())
        .returningAll()
        .executeTakeFirst()
      const isNew = inserted !== undefined
      // A second registration changes nothing: anybody who has seen the public key could send it.
      return { client: isNew ? toClient(inserted) : ((await find(id)) ?? toClient(row)), isNew }
    },
  }
}

/**
 * A client's key, ready to encrypt to.
 *
 * @throws PublicKeyError for a key registered under another configuration: there is no falling back
 *   to a token that is not encrypted.
 */
export async function recipientOf(client: Client, algorithms: Algorithms): Promise<Recipient> {
  return importPublicKey(client.jwk, requiredKeyType('enc', algorithms))
}

const toClient = (row: ClientRow): Client => ({
  id: row.client_id,
  name: row.client_name,
  jwk: JSON.parse(row.jwk) as JWK,
  createdAt: row.created_at,
})

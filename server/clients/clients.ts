import { createPublicKey, type JsonWebKey } from 'node:crypto'
import type { JWK } from 'jose'
import type { Database } from '../database/open.ts'
import type { ClientRow } from '../database/schema.ts'
import type { EncryptionAlg } from '../keystore/algorithms.ts'
import type { Recipient } from '../token/encrypt.ts'
import type { Registration } from './registration.ts'

export interface Client {
  readonly id: string
  readonly name: string | null
  /** The public members of its encryption key (RFC 7517 §4). */
  readonly jwk: JWK
  /** The key management algorithm that it is used with. */
  readonly alg: EncryptionAlg
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
 * A client's key, ready to encrypt to, with the algorithm that it was registered for: a change of
 * TOKEN_ENCRYPTION_ALG or of the curve leaves those who are signed in as they are.
 */
export const recipientOf = ({ id, jwk, alg }: Client): Recipient => ({
  kid: id,
  key: createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }),
  alg,
})

function toClient(row: ClientRow): Client {
  // As registration.ts made it.
  const { alg, ...jwk } = JSON.parse(row.jwk) as JWK & { alg: EncryptionAlg }
  return { id: row.client_id, name: row.client_name, jwk, alg, createdAt: row.created_at }
}

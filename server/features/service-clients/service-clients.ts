import type { Selectable } from 'kysely'
import type { ServiceDatabase, ServiceClientRow } from './service-tables.ts'
import type { PublicKeyOf, ServiceKeys } from './service-keys.ts'
import type { EncryptionAlg, SigningAlg } from '../../../protocol/algorithms.ts'

/** A program of the operator's: a confidential client (RFC 6749 §2.1). */
export interface ServiceClient extends ServiceKeys {
  readonly name: string
  /** Space-separated words (RFC 6749 §3.3). */
  readonly scope: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

export interface ServiceClients {
  find(id: string): Promise<ServiceClient | undefined>
  /** Every one, the oldest first. */
  list(): Promise<ServiceClient[]>
  /** @returns `false` if its encryption key is registered already. */
  add(client: ServiceClient): Promise<boolean>
  /** @returns `false` if there is none. Its tokens are inactive from then on. */
  remove(id: string): Promise<boolean>
}

export function createServiceClients(db: ServiceDatabase): ServiceClients {
  return {
    async find(id) {
      const row = await db
        .selectFrom('service_clients')
        .selectAll()
        .where('client_id', '=', id)
        .executeTakeFirst()
      return row && toServiceClient(row)
    },
    async list() {
      const rows = await db
        .selectFrom('service_clients')
        .selectAll()
        .orderBy('created_at')
        .orderBy('client_id')
        .execute()
      return rows.map(toServiceClient)
    },
    async add({ id, name, signingKey, encryptionKey, scope, createdAt }) {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('service_clients')
        .values({
          client_id: id,
          client_name: name,
          signing_key: JSON.stringify(signingKey),
          encryption_key: JSON.stringify(encryptionKey),
          scope,
          created_at: createdAt,
        })
        .onConflict((conflict) => conflict.column('client_id').doNothing())
        .executeTakeFirstOrThrow()
      return numInsertedOrUpdatedRows === 1n
    },
    async remove(id) {
      const { numDeletedRows } = await db
        .deleteFrom('service_clients')
        .where('client_id', '=', id)
        .executeTakeFirstOrThrow()
      return numDeletedRows === 1n
    },
  }
}

const toServiceClient = (row: Selectable<ServiceClientRow>): ServiceClient => ({
  id: row.client_id,
  name: row.client_name,
  // As service-keys.ts made them.
  signingKey: JSON.parse(row.signing_key) as PublicKeyOf<SigningAlg>,
  encryptionKey: JSON.parse(row.encryption_key) as PublicKeyOf<EncryptionAlg>,
  scope: row.scope,
  createdAt: row.created_at,
})

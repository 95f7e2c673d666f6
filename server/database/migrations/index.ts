import type { Migration } from 'kysely'
import { clientsAccountsSessions } from './001-clients-accounts-sessions.ts'
import { refreshAndReset } from './002-refresh-and-reset.ts'
import { closeNumberedHistory } from './003-close-numbered-history.ts'
import { knownClients } from './004-known-clients.ts'
import { unusedClients } from './005-unused-clients.ts'
import { sessionLineage } from './006-session-lineage.ts'
import { verifiedAddress } from './007-verified-address.ts'
import { keyBoundTokens } from './008-key-bound-tokens.ts'
import { numbered } from './numbered-history.ts'

/**
 * The core's migrations. Append a file and a line here; never change, rename or remove one that a
 * database may have.
 *
 * They run in one transaction with foreign keys enforced, and SQLite ignores `pragma foreign_keys`
 * inside a transaction. So never rebuild a table that others reference: dropping the old one would
 * delete the rows that reference it.
 */
const migrations: Readonly<Record<string, Migration>> = {
  '001-clients-accounts-sessions': numbered(1, clientsAccountsSessions),
  '002-refresh-and-reset': numbered(2, refreshAndReset),
  '003-close-numbered-history': closeNumberedHistory,
  '004-known-clients': knownClients,
  '005-unused-clients': unusedClients,
  '006-session-lineage': sessionLineage,
  '007-verified-address': verifiedAddress,
  '008-key-bound-tokens': keyBoundTokens,
}

export const CORE_HISTORY = { table: 'kysely_migration', migrations }

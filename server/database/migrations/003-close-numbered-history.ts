import { sql, type Kysely, type Migration } from 'kysely'
import { findNumberedVersion, NUMBERED_MIGRATIONS } from './numbered-history.ts'

/**
 * Servers of the first release read the version of the database from the table `migrations`. One
 * version more than they know makes them refuse this database and say why.
 */
export const closeNumberedHistory: Migration = {
  async up(db: Kysely<unknown>) {
    if ((await findNumberedVersion(db)) === undefined) return
    await sql`insert into migrations (version) values (${NUMBERED_MIGRATIONS + 1})`.execute(db)
  },
}

import type { Config } from './config/config.ts'
import type { DatabaseKind, OpenedDatabase } from './database-kind.ts'
import { schemeOf } from './database/location.ts'
import { openDatabase } from './database/open.ts'
import { takeSqliteLock } from './database/sqlite-lock.ts'
import type { Feature } from './feature.ts'

/** The kind of the database at a location; `undefined` for SQLite. */
export function kindOf(location: string, features: readonly Feature[]): DatabaseKind | undefined {
  const scheme = schemeOf(location)
  if (scheme === undefined) return undefined
  return features.find(({ database }) => database?.schemes.includes(scheme))?.database
}

/**
 * Opens a database and runs the migrations of the core.
 *
 * @param location By default, that of the configuration.
 * @throws StartupError if it cannot be opened or written.
 */
export async function openConfigured(
  config: Pick<Config, 'database' | 'databaseTimeout' | 'featureVariables'>,
  features: readonly Feature[],
  location = config.database,
): Promise<OpenedDatabase> {
  const timeout = config.databaseTimeout * 1000
  const kind = kindOf(location, features)
  if (kind !== undefined) return kind.open(location, timeout, config.featureVariables)
  return {
    database: await openDatabase(location, timeout),
    takeLock: takeSqliteLock(location),
  }
}

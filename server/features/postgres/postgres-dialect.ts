import {
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
  type DatabaseIntrospector,
  type Dialect,
  type Driver,
  type Kysely,
  type MigrationLockOptions,
} from 'kysely'
import type { Pool } from 'pg'
import { PooledDriver, type Patience } from './postgres-driver.ts'

/**
 * Kysely's PostgreSQL dialect for a database that may become unreachable. Connection errors become
 * StorageErrors, a failed connection is not used again, and every wait has a limit.
 */
export class PatientPostgresDialect implements Dialect {
  readonly #pool: Pool
  readonly #timeout: number
  readonly #patience: Patience

  /** @param timeout Milliseconds to wait for the answer to a statement. */
  constructor(pool: Pool, timeout: number) {
    this.#pool = pool
    this.#timeout = timeout
    this.#patience = { now: timeout }
  }

  createDriver(): Driver {
    return new PooledDriver(this.#pool, this.#patience)
  }

  createAdapter(): PostgresAdapter {
    return new MigratingAdapter(this.#patience, this.#timeout)
  }

  createQueryCompiler(): PostgresQueryCompiler {
    return new PostgresQueryCompiler()
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as Kysely declares it
  createIntrospector(db: Kysely<any>): DatabaseIntrospector {
    return new PostgresIntrospector(db)
  }
}

/**
 * Waits for Kysely's migration lock without a time limit: if several servers start at once, one
 * migrates and the others wait for it.
 */
class MigratingAdapter extends PostgresAdapter {
  readonly #patience: Patience
  readonly #timeout: number

  constructor(patience: Patience, timeout: number) {
    super()
    this.#patience = patience
    this.#timeout = timeout
  }

  override async acquireMigrationLock(
    db: Kysely<unknown>,
    options: MigrationLockOptions,
  ): Promise<void> {
    this.#patience.now = 0
    await sql`set statement_timeout = 0`.execute(db)
    await super.acquireMigrationLock(db, options)
  }

  override async releaseMigrationLock(
    db: Kysely<unknown>,
    options: MigrationLockOptions,
  ): Promise<void> {
    this.#patience.now = this.#timeout
    await super.releaseMigrationLock(db, options)
    await sql`reset statement_timeout`.execute(db)
  }
}

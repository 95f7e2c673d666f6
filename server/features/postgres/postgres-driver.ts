import { setTimeout as sleep } from 'node:timers/promises'
import { CompiledQuery, type DatabaseConnection, type Driver, type QueryResult } from 'kysely'
import type { DatabaseError, Pool, PoolClient, QueryResult as PgResult } from 'pg'
import { StorageError } from '../../database/storage-error.ts'
import { retryConflicts } from '../../database/transaction.ts'
import { toPostgresError } from './postgres-error.ts'

/**
 * PostgreSQL's codes for errors that end a connection: its faults, shutdowns, pauses in a
 * transaction.
 */
const ENDS_CONNECTION = /^(?:08|57P)|^25P03$/

/** Milliseconds to wait for an answer; 0 (no limit) while migrations run, which may take long. */
export interface Patience {
  now: number
}

/** Kysely's view of a pool of node-postgres. */
export class PooledDriver implements Driver {
  readonly #pool: Pool
  readonly #patience: Patience

  constructor(pool: Pool, patience: Patience) {
    this.#pool = pool
    this.#patience = patience
  }

  init(): Promise<void> {
    return Promise.resolve()
  }

  /** @throws StorageError if no connection is available, for whatever reason. */
  async acquireConnection(): Promise<PooledConnection> {
    try {
      return new PooledConnection(await this.#pool.connect(), this.#patience)
    } catch (error) {
      throw new StorageError(codeOf(error), error)
    }
  }

  /** Explicit, because a database may have another default. */
  beginTransaction(connection: PooledConnection): Promise<void> {
    return connection.setTransaction('begin isolation level read committed', true)
  }

  commitTransaction(connection: PooledConnection): Promise<void> {
    return connection.setTransaction('commit', false)
  }

  /** If this fails too, the connection is abandoned, and the original error must not be hidden. */
  rollbackTransaction(connection: PooledConnection): Promise<void> {
    return connection.setTransaction('rollback', false).catch(() => undefined)
  }

  releaseConnection(connection: PooledConnection): Promise<void> {
    connection.release()
    return Promise.resolve()
  }

  /** Does not wait for an unresponsive server. */
  async destroy(): Promise<void> {
    await Promise.race([this.#pool.end(), sleep(this.#patience.now, undefined, { ref: false })])
  }
}

class PooledConnection implements DatabaseConnection {
  readonly #client: PoolClient
  readonly #patience: Patience
  #isBroken = false
  #isInTransaction = false

  constructor(client: PoolClient, patience: Patience) {
    this.#client = client
    this.#patience = patience
  }

  async setTransaction(statement: string, isOpen: boolean): Promise<void> {
    this.#isInTransaction = true
    await this.executeQuery(CompiledQuery.raw(statement))
    this.#isInTransaction = isOpen
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    // No row has a text with a zero byte, because PostgreSQL cannot store it.
    const { kind } = query.query
    if ((kind === 'SelectQueryNode' || kind === 'DeleteQueryNode') && hasZeroByte(query)) {
      return Promise.resolve({ rows: [], numAffectedRows: 0n })
    }
    const execute = () => this.#execute<R>(query)
    return this.#isInTransaction ? execute() : retryConflicts(execute)
  }

  async #execute<R>({ sql: text, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { command, rowCount, rows } = await this.#send(text, parameters)
    if (text === 'commit' && command === 'ROLLBACK') {
      throw new Error('A statement of the transaction had failed, so it was not committed.')
    }
    const isWrite = /^(?:INSERT|UPDATE|DELETE)$/.test(command)
    const changed = isWrite ? { numAffectedRows: BigInt(rowCount ?? 0) } : {}
    return { rows: rows as R[], ...changed }
  }

  async #send(text: string, parameters: readonly unknown[]): Promise<PgResult> {
    try {
      const query = { text, values: [...parameters], query_timeout: this.#patience.now }
      return await this.#client.query(query)
    } catch (error) {
      const { severity, code } = error as Partial<DatabaseError>
      // Errors from the server have a severity. Any other error means that the server cannot be
      // reached.
      const isAnswer = severity !== undefined
      this.#isBroken ||= !isAnswer || ENDS_CONNECTION.test(code ?? '')
      // A TypeError, for example, is a bug of ours.
      const isAway = !isAnswer && (error as Error).name === 'Error'
      throw isAway ? new StorageError(codeOf(error), error) : toPostgresError(error)
    }
  }

  // eslint-disable-next-line require-yield -- nothing reads a stream
  async *streamQuery(): AsyncIterableIterator<never> {
    return Promise.reject(new Error('Streaming is not supported on PostgreSQL.'))
  }

  release(): void {
    this.#client.release(this.#isBroken || this.#isInTransaction)
  }
}

const hasZeroByte = ({ parameters }: CompiledQuery): boolean =>
  parameters.some((value) => typeof value === 'string' && value.includes('\0'))

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? 'no connection'

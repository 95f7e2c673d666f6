import type { Database } from './database/open.ts'
import type { TakeLock } from './database/server-lock.ts'
import type { LimitStore } from './limits/limit-store.ts'
import type { FindSession } from './sessions/find-session.ts'

/** An opened database, and what is done in another way than on SQLite. */
export interface OpenedDatabase {
  readonly database: Database
  readonly takeLock: TakeLock
  /** Where all its servers count and remember. By default, each does so in its memory. */
  readonly limitStore?: LimitStore
  /** Finds the session of a request; by default, with one statement each. */
  readonly findSession?: FindSession
  /** Its connections now, if it can have several. */
  readonly connections?: () => Connections
  /**
   * The tables with what its servers remember, such as bound requests. A copy of the database
   * leaves them out, and empties them in its target.
   */
  readonly memoryTables?: readonly string[]
}

export interface Connections {
  readonly busy: number
  readonly max: number
  /** Queries that wait for one. */
  readonly waiting: number
}

/** A kind of database beside the embedded SQLite. A feature brings it. */
export interface DatabaseKind<Variables = Readonly<Record<string, unknown>>> {
  /** The schemes of its URLs. The first one is for messages. */
  readonly schemes: readonly string[]
  /** The program that backs it up, for a message. */
  readonly backUpWith: string
  /**
   * Opens a database, and runs the core's migrations and its own.
   *
   * @param timeout Milliseconds that a statement may wait or take.
   * @param variables The feature's.
   * @throws StartupError if it cannot be opened or written.
   */
  open(url: string, timeout: number, variables: Variables): Promise<OpenedDatabase>
}

import { AuthError, sessionEnded } from '../errors.ts'

/** IndexedDB in promises: databases with one object store each, whose keys are strings. */

const STORE = 'records'

/** One connection, opened when it is first needed. Each method throws AuthError `store_failed`. */
export class Records {
  readonly #name: string
  readonly #isForGood: boolean
  #connection: Promise<IDBDatabase> | undefined
  #isDestroyed = false

  /** @param isForGood Whether it is made anew after another page, or the user, has removed it. */
  constructor(name: string, isForGood: boolean) {
    this.#name = name
    this.#isForGood = isForGood
  }

  async get(id: string): Promise<unknown> {
    return this.#do('readonly', (store) => done(store.get(id) as IDBRequest<unknown>))
  }

  async put(id: string, value: unknown): Promise<void> {
    await this.#do('readwrite', (store) => done(store.put(value, id)))
  }

  async delete(id: string): Promise<void> {
    await this.#do('readwrite', (store) => done(store.delete(id)))
  }

  async ids(): Promise<string[]> {
    return this.#do('readonly', (store) => done(store.getAllKeys() as IDBRequest<string[]>))
  }

  /**
   * Keeps a value unless one is there that will do, and gives back the one that is kept: of two
   * pages that come at once, the second finds what the first has kept.
   */
  async keep<T>(id: string, value: T, willDo: (existing: unknown) => existing is T): Promise<T> {
    return this.#do('readwrite', async (store) => {
      const existing = await done(store.get(id) as IDBRequest<unknown>)
      if (willDo(existing)) return existing
      await done(store.put(value, id))
      return value
    })
  }

  /** Removes the database. Connections of other pages give way, or, in a page that sleeps, will. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true
    const connection = await this.#connection?.catch(() => undefined)
    connection?.close()
    const removing = indexedDB.deleteDatabase(this.#name)
    const isBlocked = new Promise<void>((resolve) => {
      removing.onblocked = () => {
        resolve()
      }
    })
    await Promise.race([done(removing), isBlocked])
  }

  async #do<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => Promise<T>): Promise<T> {
    if (this.#isDestroyed) throw sessionEnded()
    try {
      const transaction = (await this.#open()).transaction(STORE, mode)
      const [result] = await Promise.all([
        work(transaction.objectStore(STORE)),
        committed(transaction),
      ])
      return result
    } catch (cause) {
      throw new AuthError('store_failed', 'The browser’s database does not work.', { cause })
    }
  }

  #open(): Promise<IDBDatabase> {
    this.#connection ??= this.#connect().catch((error: unknown) => {
      this.#connection = undefined
      throw error
    })
    return this.#connection
  }

  async #connect(): Promise<IDBDatabase> {
    const opening = indexedDB.open(this.#name)
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE)
    const connection = await done(opening)
    // Another page removes the database: a vault is not to come back by an open connection.
    connection.onversionchange = () => {
      this.#isDestroyed = !this.#isForGood
      this.#connection = undefined
      connection.close()
    }
    // The browser closed it: cleared by the user, say.
    connection.onclose = () => (this.#connection = undefined)
    return connection
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result)
    }
    request.onerror = () => {
      reject(request.error ?? new DOMException('Unknown', 'UnknownError'))
    }
  })
}

function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => {
      resolve()
    }
    transaction.onabort = () => {
      reject(transaction.error ?? new DOMException('Aborted', 'AbortError'))
    }
  })
}

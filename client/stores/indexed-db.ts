import { AuthError, sessionEnded } from '../errors.ts'

/** IndexedDB with promises. Each database has one object store, with string keys. */

const STORE = 'records'

/** One database, opened when it is first needed. Each method throws AuthError `store_failed`. */
export class Records {
  readonly #name: string
  readonly #isForGood: boolean
  #connection: Promise<IDBDatabase> | undefined
  #isDestroyed = false

  /** @param isForGood Whether to create the database again if another page or the user removes it. */
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
   * Stores a value unless a suitable one exists, and returns what can be read then. It is atomic: of
   * two concurrent pages, the second gets the value of the first.
   */
  async keep(id: string, value: unknown, willDo: (kept: unknown) => boolean): Promise<unknown> {
    return this.#do('readwrite', async (store) => {
      const existing = await done(store.get(id) as IDBRequest<unknown>)
      if (willDo(existing)) return existing
      await done(store.put(value, id))
      return done(store.get(id) as IDBRequest<unknown>)
    })
  }

  /** Moves a value to another id, in place of what is there, if it is the right one. It is atomic. */
  async move(from: string, to: string, isRight: (value: unknown) => boolean): Promise<void> {
    await this.#do('readwrite', async (store) => {
      const value = await done(store.get(from) as IDBRequest<unknown>)
      if (!isRight(value)) return
      await Promise.all([done(store.put(value, to)), done(store.delete(from))])
    })
  }

  /** Removes the database. Other pages close their connections, suspended pages when they wake up. */
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
      throw new AuthError('store_failed', 'The browser’s database failed.', { cause })
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
    // Another page removes the database. An open connection must not recreate a vault.
    connection.onversionchange = () => {
      this.#isDestroyed = !this.#isForGood
      this.#connection = undefined
      connection.close()
    }
    // The browser closed it, for example because the user cleared the site's data.
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

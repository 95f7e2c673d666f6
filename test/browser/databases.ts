/** The content of IndexedDB, read past the library. */
import { expect } from '@jest/globals'
import { until } from './servers.ts'

/** A compact JWS or JWE. Its first letters alone occur by chance too. */
export const TOKEN = /eyJ[\w-]*(\.[\w-]*){2,4}/g

/** A tab of any engine. */
interface Page {
  evaluate<R>(run: () => Promise<R>): Promise<R>
}

export interface Database {
  readonly name: string
  /** Every record with its key, as JSON: bytes as characters, keys by their public properties. */
  readonly text: string
}

/** Every database. */
export const databases = (page: Page): Promise<Database[]> =>
  page.evaluate(async () => {
    const result = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => {
          resolve(request.result)
        }
        request.onerror = () => {
          reject(new Error('It cannot be read.'))
        }
      })
    const tell = (_: string, value: unknown): unknown => {
      if (value instanceof Uint8Array)
        return Array.from(value, (x) => String.fromCharCode(x)).join('')
      if (!(value instanceof CryptoKey)) return value
      return { type: value.type, extractable: value.extractable, usages: value.usages }
    }
    const found: Database[] = []
    for (const { name = '' } of await indexedDB.databases()) {
      const database = await result(indexedDB.open(name))
      const [store] = database.objectStoreNames
      const records: unknown[] = []
      if (store !== undefined) {
        const reading = database.transaction(store).objectStore(store)
        const [keys, values] = await Promise.all([
          result(reading.getAllKeys()),
          result(reading.getAll() as IDBRequest<unknown[]>),
        ])
        keys.forEach((key, index) => records.push([key, values[index]]))
      }
      database.close()
      found.push({ name, text: JSON.stringify(records, tell) })
    }
    return found
  })

/** Waits until the vault is gone, and checks that no personal data and no token is left. */
export async function nothingIsLeft(page: Page, ...secrets: string[]): Promise<void> {
  await until(async () => (await databases(page)).length === 1)
  const { text } = (await databases(page))[0]!
  expect([...secrets, '["session"'].filter((secret) => text.includes(secret))).toEqual([])
  expect(text).not.toMatch(TOKEN)
}

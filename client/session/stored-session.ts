import { texts, type Json } from '../json.ts'
import type { ClientStore } from '../stores/client-store.ts'

/** A session in the store. The tokens are encrypted to this client's key, and nothing else is secret. */
export interface StoredSession {
  readonly client_id: string
  readonly session_id: string
  readonly access_token: string
  readonly refresh_token: string
  /** Seconds that the server's clock was ahead of this machine's clock when the tokens arrived. */
  readonly clock_offset: number
}

const NAME = 'session'

/** The session in the store; `undefined` if there is none or it is malformed. */
export async function readSession(store: ClientStore): Promise<StoredSession | undefined> {
  return parseSession(await store.read(NAME))
}

/** Whether there is something malformed in place of a session. */
export async function isDamaged(store: ClientStore): Promise<boolean> {
  const value = await store.read(NAME)
  return value !== undefined && parseSession(value) === undefined
}

function parseSession(value: unknown): StoredSession | undefined {
  const known = texts(value, 'client_id', 'session_id', 'access_token', 'refresh_token')
  if (known === undefined) return undefined
  const { clock_offset } = value as Json
  if (!Number.isSafeInteger(clock_offset)) return undefined
  return { ...known, clock_offset: clock_offset as number }
}

export const writeSession = (store: ClientStore, session: StoredSession): Promise<void> =>
  store.write(NAME, session)

/** Removes the session and every vault, because the vaults' keys are gone. */
export async function removeSession(store: ClientStore): Promise<void> {
  await store.write(NAME, undefined)
  await store.removeVaults()
}

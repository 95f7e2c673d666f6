import { isObject, isText } from '../json.ts'
import type { ClientStore } from '../stores/client-store.ts'

/** What is kept of a session: tokens as they arrived, for this client's key alone, and no other secret. */
export interface StoredSession {
  readonly client_id: string
  readonly session_id: string
  readonly access_token: string
  readonly refresh_token: string
  /** Seconds that the server's clock was ahead of this machine's when the tokens came. */
  readonly clock_offset: number
}

const NAME = 'session'

/** The session in the store; `undefined` for none, or for something that is no session. */
export async function readSession(store: ClientStore): Promise<StoredSession | undefined> {
  const value = await store.read(NAME)
  if (!isObject(value)) return undefined
  const { client_id, session_id, access_token, refresh_token, clock_offset } = value
  if (!isText(client_id) || !isText(session_id)) return undefined
  if (!isText(access_token) || !isText(refresh_token)) return undefined
  if (!Number.isSafeInteger(clock_offset)) return undefined
  return {
    client_id,
    session_id,
    access_token,
    refresh_token,
    clock_offset: clock_offset as number,
  }
}

export const writeSession = (store: ClientStore, session: StoredSession): Promise<void> =>
  store.write(NAME, session)

/** Forgets the session, and every vault: their keys are gone. */
export async function forgetSession(store: ClientStore): Promise<void> {
  await store.write(NAME, undefined)
  await store.removeVaults()
}

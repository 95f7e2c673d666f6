/** Reads the server's answers. Every function throws AuthError `bad_answer` for an incomplete answer. */
import type { Account } from '../../protocol/account.ts'
import { decodeBase64url } from '../bytes.ts'
import { badAnswer } from '../http.ts'
import { texts, type Json } from '../json.ts'

/** A session of the account. Times are RFC 3339, UTC. */
export interface SessionEntry {
  readonly session_id: string
  readonly client_id: string
  readonly client_name: string | null
  readonly created_at: string
  readonly last_used_at: string
  readonly current: boolean
}

/** An access token and a refresh token, each a JWE as the server sends it. */
export interface TokenPair {
  readonly access_token: string
  readonly refresh_token: string
}

/** The answer to `GET /account`: who is signed in, and the key to their local data. */
export interface AccountAnswer {
  readonly account: Account
  readonly session_id: string
  /**
   * 32 bytes, base64url; `null` if the server has lost it, although the session continues; `undefined`
   * if the answer had to be sealed for it and was not.
   */
  readonly database_key: string | null | undefined
}

const SESSION_ID = /^[A-Za-z0-9_-]{1,128}$/
/** Bytes. */
const DATABASE_KEY_LENGTH = 32

export function readTokenPair(body: Json, url: string): TokenPair {
  const pair = texts(body, 'access_token', 'refresh_token', 'token_type')
  if (pair === undefined || !/^bearer$/i.test(pair.token_type)) throw badAnswer(url)
  return pair
}

export function readAccountAnswer(body: Json, url: string): AccountAnswer {
  const answer = texts(body, 'session_id')
  if (answer === undefined || !SESSION_ID.test(answer.session_id)) throw badAnswer(url)
  return {
    ...answer,
    account: readAccount(body['account'], url),
    database_key: readDatabaseKey(body['database_key'], url),
  }
}

/** Reads the answer to signing up or in. A new session always has a key. */
export function readSignInAnswer(body: Json, url: string): AccountAnswer {
  const answer = readAccountAnswer(body, url)
  if (typeof answer.database_key !== 'string') throw badAnswer(url)
  return answer
}

function readDatabaseKey(value: unknown, url: string): string | null | undefined {
  if (value === null || value === undefined) return value
  if (typeof value !== 'string') throw badAnswer(url)
  if (decodeBase64url(value)?.length !== DATABASE_KEY_LENGTH) throw badAnswer(url)
  return value
}

/** Checks the members that the client uses, and returns all members. */
export function readAccount(value: unknown, url: string): Account {
  const account = texts(value, 'id', 'email', 'created_at')
  if (account === undefined) throw badAnswer(url)
  const { scope } = value as Json
  if (typeof scope !== 'string') throw badAnswer(url)
  return { ...(value as Account), ...account, name: textOrNull(value, 'name'), scope }
}

export function readSessions({ sessions }: Json, url: string): SessionEntry[] {
  if (!Array.isArray(sessions)) throw badAnswer(url)
  return sessions.map((value: unknown) => {
    const entry = texts(value, 'session_id', 'client_id', 'created_at', 'last_used_at')
    if (entry === undefined) throw badAnswer(url)
    const { current } = value as Json
    if (typeof current !== 'boolean') throw badAnswer(url)
    return { ...(value as Json), ...entry, client_name: textOrNull(value, 'client_name'), current }
  })
}

const textOrNull = (value: unknown, name: string): string | null =>
  texts(value, name)?.[name] ?? null

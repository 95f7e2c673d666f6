import { badAnswer } from '../http.ts'
import { isObject, isText, type Json } from '../json.ts'

/** A person, as the server presents them. */
export interface Account {
  readonly id: string
  readonly email: string
  readonly name: string | null
  /** Space-separated. */
  readonly scope: string
  /** RFC 3339, UTC. */
  readonly created_at: string
}

/** Where the account is signed in. Times: RFC 3339, UTC. */
export interface SessionEntry {
  readonly session_id: string
  readonly client_id: string
  readonly client_name: string | null
  readonly created_at: string
  readonly last_used_at: string
  readonly current: boolean
}

/** Two tokens, as they arrive. */
export interface TokenPair {
  readonly access_token: string
  readonly refresh_token: string
}

/** What `GET /account` says: who is signed in, and the key to their local data. */
export interface AccountAnswer {
  readonly account: Account
  readonly session_id: string
  /** 32 bytes, base64url. */
  readonly database_key: string
}

const DATABASE_KEY = /^[A-Za-z0-9_-]{43}$/

/** @throws AuthError `bad_answer`, as every function here does for what is not whole. */
export function readTokenPair(body: Json, url: string): TokenPair {
  const { access_token, refresh_token, token_type } = body
  const isBearer = typeof token_type === 'string' && token_type.toLowerCase() === 'bearer'
  if (!isText(access_token) || !isText(refresh_token) || !isBearer) throw badAnswer(url)
  return { access_token, refresh_token }
}

export function readAccountAnswer(body: Json, url: string): AccountAnswer {
  const { session_id, database_key } = body
  if (!isText(session_id) || !/^[A-Za-z0-9_-]{1,128}$/.test(session_id)) throw badAnswer(url)
  if (typeof database_key !== 'string' || !DATABASE_KEY.test(database_key)) throw badAnswer(url)
  return { account: readAccount(body['account'], url), session_id, database_key }
}

export function readAccount(value: unknown, url: string): Account {
  if (!isObject(value)) throw badAnswer(url)
  const { id, email, name, scope, created_at } = value
  if (!isText(id) || !isText(email) || typeof scope !== 'string' || !isText(created_at)) {
    throw badAnswer(url)
  }
  return { id, email, name: textOrNull(name), scope, created_at }
}

export function readSessions(body: Json, url: string): SessionEntry[] {
  const { sessions } = body
  if (!Array.isArray(sessions)) throw badAnswer(url)
  return sessions.map((entry: unknown) => {
    if (!isObject(entry)) throw badAnswer(url)
    const { session_id, client_id, client_name, created_at, last_used_at, current } = entry
    if (!isText(session_id) || !isText(client_id) || !isText(created_at)) throw badAnswer(url)
    if (!isText(last_used_at) || typeof current !== 'boolean') throw badAnswer(url)
    const name = textOrNull(client_name)
    return { session_id, client_id, client_name: name, created_at, last_used_at, current }
  })
}

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null)

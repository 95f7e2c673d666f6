import type { SignUpFields } from '../protocol/account.ts'
import type { ClientContext } from './context.ts'
import { readAnswer } from './http.ts'
import { register } from './registration.ts'
import { sendJson } from './sealing/send-json.ts'
import { readSignInAnswer, readTokenPair } from './session/answers.ts'
import { openPair } from './session/open-session.ts'
import { describe, type Session, type SessionInMemory } from './session/session-in-memory.ts'
import { writeSession } from './session/stored-session.ts'
import { revoke, sealRevocation } from './session/token-endpoint.ts'

/** RFC 8693 §2.1 and §3. */
const TOKEN_EXCHANGE = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
} as const

/** An address and a password, with the account's fields at sign-up. */
type Credentials = { readonly email: string; readonly password: string } & SignUpFields

/** @param isNew Whether to create the account. */
export async function signInByPassword(
  context: ClientContext,
  memory: SessionInMemory,
  person: Credentials,
  isNew: boolean,
): Promise<Session> {
  const password = await context.derivePassword(person.password, person.email, isNew)
  const path = isNew ? '/account' : '/account/login'
  return beginSession(context, memory, path, { ...person, password })
}

/** Exchanges an ID token for a session (RFC 8693). */
export async function signInByIdToken(
  context: ClientContext,
  memory: SessionInMemory,
  subjectToken: string,
): Promise<Session> {
  const proof = { ...TOKEN_EXCHANGE, subject_token: subjectToken }
  return beginSession(context, memory, '/token', proof)
}

/**
 * Registers the client, sends the proof of identity, and begins the session in the answer. It replaces
 * the session that was here before, which is revoked.
 *
 * @throws AuthError `bad_answer`, `token_invalid`
 */
async function beginSession(
  context: ClientContext,
  memory: SessionInMemory,
  path: string,
  proof: object,
): Promise<Session> {
  const { server, store, proofKeys, clock } = context
  const { key, isKeyBound } = await register(context)
  const request = { ...proof, client_id: key.id }
  const body = await readAnswer(await sendJson(context, path, request, 'POST', key))
  const url = server.baseUrl + path
  const answer = readSignInAnswer(body, url)
  const expected = { sessionId: answer.session_id, accountId: answer.account.id, isKeyBound }
  const opened = await openPair(context, key, expected, readTokenPair(body, url), clock())
  const session = { ...opened, answer }
  const revocation = await store.exclusively(async () => {
    const replaced = await sealRevocation(context)
    proofKeys.forget()
    // This client no longer has the keys to earlier sessions' vaults.
    await store.removeVaults(answer.session_id)
    await store.useKey(key.id)
    await writeSession(store, session.stored)
    memory.set(session)
    return replaced
  })
  if (revocation !== undefined) await revoke(context, revocation)
  return describe(session)
}

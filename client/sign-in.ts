import type { SignUpFields } from '../protocol/account.ts'
import type { ClientContext } from './context.ts'
import { readAnswer } from './http.ts'
import { register } from './registration.ts'
import { sendJson } from './sealing/send-json.ts'
import { present, type Session } from './session/session-in-memory.ts'
import type { SessionHolder } from './session/session-holder.ts'

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
  holder: SessionHolder,
  person: Credentials,
  isNew: boolean,
): Promise<Session> {
  const password = await context.derivePassword(person.password, person.email, isNew)
  const path = isNew ? '/account' : '/account/login'
  return beginSession(context, holder, path, { ...person, password })
}

/** Exchanges an ID token for a session (RFC 8693). */
export async function signInByIdToken(
  context: ClientContext,
  holder: SessionHolder,
  subjectToken: string,
): Promise<Session> {
  const proof = { ...TOKEN_EXCHANGE, subject_token: subjectToken }
  return beginSession(context, holder, '/token', proof)
}

/** Registers the client, sends the proof of identity, and begins the session in the answer. */
async function beginSession(
  context: ClientContext,
  holder: SessionHolder,
  path: string,
  proof: object,
): Promise<Session> {
  const registered = await register(context)
  const body = { ...proof, client_id: registered.key.id }
  const answer = await readAnswer(await sendJson(context, path, body, 'POST', registered.key))
  return present(await holder.begin(registered, answer, context.server.baseUrl + path))
}

import type { ClientContext } from './context.ts'
import { AuthError, hasCode } from './errors.ts'
import { badAnswer, json, readAnswer, send, textOf } from './http.ts'
import { parseObject, type Json } from './json.ts'
import type { ClientKey } from './keys/client-key.ts'
import { decrypt } from './token/decrypt.ts'

/** A registered key. */
export interface Registered {
  readonly key: ClientKey
  /** Whether its tokens are key-bound. */
  readonly isKeyBound: boolean
}

/**
 * Registers this installation's public key (in the form of RFC 7591), and asks for key-bound tokens if
 * the server has them. Generates a key pair if there is none of the type that the server asks for.
 * Registering a key again gives the same client.
 *
 * @throws AuthError `bad_answer` if the server does not keep its promise of key-bound tokens;
 *   `key_binding_not_offered` if this client must have them, and the server does not promise them.
 */
export async function register(context: ClientContext): Promise<Registered> {
  const { server, store } = context
  const { keyType, keyBoundTokens } = await server.info()
  if (!keyBoundTokens && context.keyBoundTokens === 'required') {
    const message = `${server.baseUrl} does not offer key-bound tokens.`
    throw new AuthError('key_binding_not_offered', message)
  }
  const key = await store.makeKey(keyType)
  const isKeyBound = await registerKey(context, key, keyBoundTokens)
  if (isKeyBound || !keyBoundTokens) return { key, isKeyBound }
  // The first registration of a key decides, and this key was registered without key-bound tokens.
  const fresh = await store.makeKey(keyType, key.id)
  if (await registerKey(context, fresh, true)) return { key: fresh, isKeyBound: true }
  throw badAnswer(`${server.baseUrl}/clients`)
}

/** Returns whether the key's tokens are key-bound. */
async function registerKey(
  { server, fetch, clientName }: ClientContext,
  key: ClientKey,
  asksForKeyBound: boolean,
): Promise<boolean> {
  const url = `${server.baseUrl}/clients`
  const jwks = { keys: [{ ...key.publicJwk, use: 'enc' }] }
  // JSON.stringify omits an undefined name.
  const body = { client_name: clientName, jwks, key_bound_tokens: asksForKeyBound }
  const { client_id, key_bound_tokens } = await readAnswer(await send(fetch, url, json(body)))
  if (client_id !== key.id) throw badAnswer(url)
  return key_bound_tokens === true
}

/** Reads the configuration that the server encrypts to this client. */
export async function readConfiguration(context: ClientContext): Promise<Json> {
  const key = (await context.store.loadKey()) ?? (await register(context)).key
  try {
    return await requestConfiguration(context, key)
  } catch (error) {
    // The server removes clients that have never had a session (UNUSED_CLIENT_TTL).
    if (!hasCode(error, 'not_found')) throw error
    return requestConfiguration(context, (await register(context)).key)
  }
}

async function requestConfiguration(
  { server, fetch }: ClientContext,
  key: ClientKey,
): Promise<Json> {
  const url = `${server.baseUrl}/clients/${key.id}/configuration`
  const response = await send(fetch, url)
  if (!response.ok) await readAnswer(response)
  const configuration = parseObject(await decrypt(await textOf(response), key, 'json'))
  const { issuer } = await server.info()
  if (configuration?.['iss'] !== issuer || configuration['aud'] !== key.id) throw badAnswer(url)
  return configuration
}

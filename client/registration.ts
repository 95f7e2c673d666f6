import type { AuthServer } from './discovery/server.ts'
import { badAnswer, json, readAnswer, send, textOf, type Fetch } from './http.ts'
import { parseObject, type Json } from './json.ts'
import type { ClientStore } from './stores/client-store.ts'
import type { ClientKey } from './token/client-key.ts'
import { decrypt } from './token/decrypt.ts'

interface RegistrationContext {
  readonly server: AuthServer
  readonly store: ClientStore
  readonly fetch: Fetch
}

/**
 * Registers this installation's public key (RFC 7591 in form), making the key if there is none that
 * fits. The same key again is the same client.
 */
export async function register(
  { server, store, fetch }: RegistrationContext,
  clientName?: string,
): Promise<ClientKey> {
  const { keyType } = await server.info()
  const key = await store.makeKey(keyType)
  const url = `${server.baseUrl}/clients`
  const jwks = { keys: [{ ...key.publicJwk, use: 'enc' }] }
  const body = clientName === undefined ? { jwks } : { client_name: clientName, jwks }
  const { client_id } = await readAnswer(await send(fetch, url, json(body)))
  if (client_id !== key.id) throw badAnswer(url)
  return key
}

/** What the server says to this client alone about its tokens, opened. */
export async function readConfiguration(
  { server, fetch }: RegistrationContext,
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

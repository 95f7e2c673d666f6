import type { ClientContext } from './context.ts'
import { hasCode } from './errors.ts'
import { badAnswer, json, readAnswer, send, textOf } from './http.ts'
import { parseObject, type Json } from './json.ts'
import type { ClientKey } from './token/client-key.ts'
import { decrypt } from './token/decrypt.ts'

/**
 * Registers this installation's public key (in the form of RFC 7591). Generates a key pair first if
 * there is none of the type that the server asks for. Registering a key again gives the same client.
 */
export async function register(context: ClientContext): Promise<ClientKey> {
  const { server, store, fetch, clientName } = context
  const { keyType } = await server.info()
  const key = await store.makeKey(keyType)
  const url = `${server.baseUrl}/clients`
  const jwks = { keys: [{ ...key.publicJwk, use: 'enc' }] }
  // JSON.stringify omits an undefined name.
  const body = { client_name: clientName, jwks }
  const { client_id } = await readAnswer(await send(fetch, url, json(body)))
  if (client_id !== key.id) throw badAnswer(url)
  return key
}

/** Reads the configuration that the server encrypts to this client. */
export async function readConfiguration(context: ClientContext): Promise<Json> {
  const key = (await context.store.loadKey()) ?? (await register(context))
  try {
    return await requestConfiguration(context, key)
  } catch (error) {
    // The server removes clients that have not signed in for a long time.
    if (!hasCode(error, 'not_found')) throw error
    return requestConfiguration(context, await register(context))
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

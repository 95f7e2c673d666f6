// Helpers that the measurements share: a client, a request, a quantile.
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose'

/** A registered client, with key-bound tokens if it asks for them. */
export async function registerClient(url, { keyBound = false } = {}) {
  const { publicKey, privateKey } = await generateKeyPair('ECDH-ES+A128KW', { crv: 'P-256' })
  const jwk = { ...(await exportJWK(publicKey)), use: 'enc' }
  const { body } = await send(url, 'POST', '/clients', {
    jwks: { keys: [jwk] },
    key_bound_tokens: keyBound,
  })
  const { keys } = (await send(url, 'GET', '/.well-known/jwks.json')).body
  const serverJwk = keys.find((key) => key.use === 'enc')
  return {
    id: body.client_id,
    serverJwk,
    privateKey,
    open: async (jwe) => (await compactDecrypt(jwe, privateKey)).plaintext,
  }
}

/** Sends JSON, and returns the status, the body, the headers and the time in milliseconds. */
export async function send(url, method, path, body, headers = {}) {
  const start = performance.now()
  const response = await fetch(url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const text = await response.text()
  const ms = performance.now() - start
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
    ms,
  }
}

/** The q-th quantile of some numbers. */
export function quantile(numbers, q) {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
}

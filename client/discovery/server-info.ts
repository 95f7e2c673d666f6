import {
  ENCRYPTION_CURVES,
  ENCRYPTION_ENCS,
  type EncryptionEnc,
  type KeyType,
} from '../../protocol/algorithms.ts'
import { AuthError } from '../errors.ts'
import { badAnswer, readAnswer, send, type Fetch } from '../http.ts'
import { isObject, isText, type Json } from '../json.ts'
import { readKeySet, type ServerKey } from '../keys/server-keys.ts'

/** The parts of the server's metadata (RFC 8414) and JWK Set that a client needs. */
export interface ServerInfo {
  readonly issuer: string
  /** JWE `enc` for tokens sealed to the server. */
  readonly enc: EncryptionEnc
  /** The type of key that a client registers. */
  readonly keyType: KeyType
  /** Whether a new client can ask for key-bound tokens. */
  readonly keyBoundTokens: boolean
  /** Whether the server takes sealed bodies and seals answers. */
  readonly sealedBodies: boolean
  readonly keys: readonly ServerKey[]
}

/** Milliseconds; short, because there may be a cached copy to use instead. */
const TIMEOUT = 10_000

/** Fetches both documents of the server at `baseUrl`. */
export async function fetchServerInfo(
  fetch: Fetch,
  baseUrl: string,
  issuer: string,
): Promise<ServerInfo> {
  const [metadata, keys] = await Promise.all([
    getJson(fetch, `${baseUrl}/.well-known/oauth-authorization-server`),
    fetchKeys(fetch, baseUrl),
  ])
  // RFC 8414 §3.3: a different issuer could be impersonating this one.
  if (metadata['issuer'] !== issuer) {
    throw new AuthError(
      'issuer_mismatch',
      `The issuer of ${baseUrl} is not ${issuer}. If it is the right server, pass its ISSUER as "issuer".`,
    )
  }
  const info = await parseServerInfo({
    issuer,
    enc: first(metadata['access_token_encryption_enc_values_supported']),
    keyType: { kty: metadata['encryption_key_kty'], crv: metadata['encryption_key_crv'] },
    keyBoundTokens: metadata['key_bound_tokens_supported'],
    sealedBodies: isText(metadata['sealed_bodies']),
    keys,
  })
  if (info === undefined) throw badAnswer(baseUrl)
  return info
}

/** Checks fetched or stored info; `undefined` if it is incomplete. */
export async function parseServerInfo(value: unknown): Promise<ServerInfo | undefined> {
  if (!isObject(value) || !isObject(value['keyType'])) return undefined
  const { issuer } = value
  const enc = ENCRYPTION_ENCS.find((name) => name === value['enc'])
  const keyType = readKeyType(value['keyType'])
  const keyBoundTokens = value['keyBoundTokens'] === true && keyType?.kty !== 'RSA'
  const sealedBodies = value['sealedBodies'] === true
  const keys = await readKeySet(value)
  if (typeof issuer !== 'string' || keyType === undefined || enc === undefined) return undefined
  if (!['sig', 'enc'].every((use) => keys.some((key) => key.use === use))) return undefined
  return { issuer, enc, keyType, keyBoundTokens, sealedBodies, keys }
}

/** The type of key that the metadata asks for; `undefined` if this client cannot generate it. */
function readKeyType({ kty, crv }: Json): KeyType | undefined {
  if (kty === 'RSA') return { kty }
  return Object.values(ENCRYPTION_CURVES).find((type) => type.kty === kty && type.crv === crv)
}

/** The JWK Set of a server, or of another service. */
export async function fetchKeys(fetch: Fetch, baseUrl: string): Promise<ServerKey[]> {
  return readKeySet(await getJson(fetch, `${baseUrl}/.well-known/jwks.json`))
}

const getJson = async (fetch: Fetch, url: string): Promise<Json> =>
  readAnswer(await send(fetch, url, {}, TIMEOUT))

const first = (list: unknown): unknown => (Array.isArray(list) ? (list as unknown[])[0] : undefined)

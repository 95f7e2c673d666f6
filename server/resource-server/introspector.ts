import type { KeyPair } from '../keystore/key-pair.ts'
import { StartupError } from '../errors/startup-error.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'
import { askAbout } from './introspection-request.ts'
import type { RemoteKeys } from './remote-keys.ts'
import { openSigningKey } from './service-key.ts'
import type { ServiceAuthOptions } from './service-options.ts'
import type { Fetch } from './published-keys.ts'

/** Seconds for which an answer is used again. */
const CACHE_FOR = 5
/** Answers at most. */
const CAPACITY = 10_000
/** Seconds after which it is worth trying again. */
const RETRY_AFTER = 5

/**
 * Whether a token is good at the auth server now, or was a few seconds ago.
 *
 * @throws UnavailableError if the auth server cannot be asked: the token is neither good nor bad.
 */
export type IsActive = (token: { readonly jti: string }, jws: string) => Promise<boolean>

interface Parts {
  readonly issuer: string
  readonly clock: () => number
  readonly fetch: Fetch
  readonly key: KeyPair
  readonly keys: RemoteKeys
}

/**
 * Without `introspection`, every token that has not expired is taken as active.
 *
 * @throws StartupError for a key that is missing or cannot be used.
 */
export async function createIsActive(
  { introspection, encryptionKey }: Pick<ServiceAuthOptions, 'introspection' | 'encryptionKey'>,
  { keys, ...parts }: Parts,
): Promise<IsActive> {
  if (introspection === undefined) return () => Promise.resolve(true)
  if (encryptionKey === undefined) {
    throw new StartupError([
      'introspection needs an encryptionKey: the one that the service client was registered with.',
    ])
  }
  const { clock, issuer } = parts
  const signingKey = await openSigningKey(introspection.signingKey)
  const inquirer = { ...parts, signingKey, verificationKey: (kid: string) => keys.find(kid) }

  const ask: IsActive = async ({ jti }, jws) => {
    try {
      const target = keys.introspection()
      if (target === undefined) throw new Error(`${issuer} does not answer questions about tokens.`)
      return await askAbout(inquirer, target, jws, jti)
    } catch (cause) {
      // Whatever it is, the token may be good: a 401 would sign the client out.
      throw new UnavailableError('tokens cannot be introspected', RETRY_AFTER, { cause })
    }
  }
  return withCache(ask, clock, introspection.cacheFor ?? CACHE_FOR)
}

/** Requests with one token share one question, and its answer for some seconds. */
function withCache(ask: IsActive, clock: () => number, seconds: number): IsActive {
  // A Map iterates in the order of insertion, which is that of expiry.
  const answers = new Map<string, { readonly answer: Promise<boolean>; readonly askedAt: number }>()
  return (token, jws) => {
    const { jti } = token
    const known = answers.get(jti)
    const age = clock() - (known?.askedAt ?? -Infinity)
    if (known !== undefined && age >= 0 && age < seconds * 1000) return known.answer
    const entry = { answer: ask(token, jws), askedAt: clock() }
    answers.delete(jti)
    answers.set(jti, entry)
    entry.answer.catch(() => {
      if (answers.get(jti) === entry) answers.delete(jti)
    })
    for (const oldest of answers.keys()) {
      if (answers.size <= CAPACITY) break
      answers.delete(oldest)
    }
    return entry.answer
  }
}

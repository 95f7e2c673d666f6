import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { z } from 'zod'
import { ENCRYPTION_ENCS } from '../../protocol/algorithms.ts'
import { BINDING_TOLERANCE } from '../../protocol/binding.ts'
import type { KeyPair } from '../keystore/key-pair.ts'
import { decrypt, type DecryptionKey } from '../token/decrypt.ts'
import { seal } from '../token/jwe/seal-jwe.ts'
import { verify, type VerificationKeys } from '../token/verify.ts'
import type { IntrospectionTarget } from './introspection-target.ts'
import type { Fetch } from './published-keys.ts'

/** Milliseconds to wait for an answer. */
const TIMEOUT = 5_000
/** Seconds for which an assertion is good. */
const ASSERTION_LIFETIME = 60
/** RFC 9701 §4, §5. */
const JWT_TYPE = 'token-introspection+jwt'

const answerSchema = z.object({
  iss: z.string(),
  aud: z.string(),
  iat: z.int(),
  token_introspection: z.object({ active: z.boolean(), jti: z.string().optional() }),
})

/** What a service asks with. */
export interface Inquirer {
  readonly issuer: string
  readonly clock: () => number
  readonly fetch: Fetch
  /** It proves who the service is (RFC 7523 §3). */
  readonly signingKey: KeyPair
  /** The service's encryption key. Its `kid` is the client_id. */
  readonly key: DecryptionKey
  readonly verificationKey: VerificationKeys
}

/**
 * Asks the auth server about a token (RFC 7662). The token is sealed for this one request, and the
 * answer is signed by the server and encrypted to this service (RFC 9701), so nobody on the network can
 * forge one. An old answer can be replayed for as long as clocks may differ.
 *
 * @param jti Of the token: the answer must be about it.
 * @throws Error with a sentence for the log; TokenError for an answer that is not the server's.
 */
export async function askAbout(
  inquirer: Inquirer,
  { endpoint, recipient, enc }: IntrospectionTarget,
  jws: string,
  jti: string,
): Promise<boolean> {
  const { issuer, clock, fetch, key, verificationKey } = inquirer
  const iat = Math.floor(clock() / 1000)
  const req = { jti: randomUUID(), iat, htm: 'POST', htu: endpoint }
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { Accept: `application/${JWT_TYPE}` },
    body: new URLSearchParams({
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await sign(inquirer, iat),
      token: seal(jws, recipient, enc, { cty: 'JWT', req }),
    }),
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT),
  })
  if (response.status !== 200) throw new Error(`${endpoint} answered ${response.status}.`)
  const keyOf = (kid?: string) => (kid === key.kid ? key : undefined)
  const { plaintext } = await decrypt(await response.text(), keyOf, ENCRYPTION_ENCS, { cty: 'JWT' })
  const { payload } = await verify(plaintext, JWT_TYPE, verificationKey)
  const answer = answerSchema.safeParse(payload).data
  const isFresh = answer !== undefined && Math.abs(answer.iat - iat) <= BINDING_TOLERANCE
  if (!isFresh || answer.iss !== issuer || answer.aud !== key.kid) {
    throw new Error(`${endpoint} gave an answer to another question.`)
  }
  const { active, jti: about } = answer.token_introspection
  if (active && about !== jti) throw new Error(`${endpoint} answered about another token.`)
  return active
}

const sign = ({ issuer, signingKey, key }: Inquirer, iat: number): Promise<string> =>
  new SignJWT({ jti: randomUUID() })
    .setProtectedHeader({ alg: signingKey.alg, kid: signingKey.kid })
    .setIssuer(key.kid)
    .setSubject(key.kid)
    .setAudience(issuer)
    .setIssuedAt(iat)
    .setExpirationTime(iat + ASSERTION_LIFETIME)
    .sign(signingKey.privateKey)

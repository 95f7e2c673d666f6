import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { z } from 'zod'
import type { Vendor } from './vendor.ts'

/** Seconds. */
const LIFETIME = 10 * 60
/** HS256 needs a key at least as long as its hash (RFC 7518 §3.2). */
const MIN_SECRET_BYTES = 32

const word = z.string().regex(/^\S+$/, 'must not contain spaces').optional()

const variables = {
  APP_ID: word,
  JWT_SHARED_SECRET_ID: word,
  JWT_SHARED_SECRET: z
    .string()
    .refine(
      (secret) => Buffer.byteLength(secret) >= MIN_SECRET_BYTES,
      `must have at least ${MIN_SECRET_BYTES} bytes`,
    )
    .optional(),
}

/**
 * The sign-up JWT of Seald's SDK. It lets an account join the team and connects it to its Seald
 * identity.
 *
 * Yours to replace: write a file like this one for another vendor. See docs/features/license-token.md.
 */
export const seald: Vendor<typeof variables> = {
  variables,
  contradictions(isSet) {
    const names = Object.keys(variables) as (keyof typeof variables)[]
    const missing = names.filter((name) => !isSet(name))
    if (missing.length === 0 || missing.length === names.length) return []
    return [
      `${names.join(', ')} belong together: set ${missing.join(' and ')} too, or remove the others.`,
    ]
  },
  createSigner(values, clock) {
    const { APP_ID: appId, JWT_SHARED_SECRET_ID: secretId, JWT_SHARED_SECRET: secret } = values
    if (appId === undefined || secretId === undefined || secret === undefined) return undefined
    const key = new TextEncoder().encode(secret)
    return function signLicense(accountId) {
      const now = Math.floor(clock() / 1000)
      return new SignJWT({
        // 3: join the team. 4: add a connector.
        scopes: [3, 4],
        join_team: true,
        connector_add: { type: 'AP', value: `${accountId}@${appId}` },
      })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuer(secretId)
        .setJti(randomUUID())
        .setIssuedAt(now)
        .setExpirationTime(now + LIFETIME)
        .sign(key)
    }
  },
}

/** Another vendor: Firebase custom tokens, signed with a service account's key. */
import { createPrivateKey } from 'node:crypto'
import { SignJWT } from 'jose'
import { z } from 'zod'
import type { Vendor } from '../../../server/features/license-token/vendor.ts'

const AUDIENCE =
  'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit'

const variables = {
  FIREBASE_CLIENT_EMAIL: z.string().optional(),
  // On one line, with \n for a line break, as in the service account's JSON file.
  FIREBASE_PRIVATE_KEY: z.string().optional(),
}

export const firebase: Vendor<typeof variables> = {
  variables,
  contradictions: (isSet) =>
    isSet('FIREBASE_CLIENT_EMAIL') === isSet('FIREBASE_PRIVATE_KEY')
      ? []
      : ['FIREBASE_CLIENT_EMAIL and FIREBASE_PRIVATE_KEY belong together: set both or neither.'],
  createSigner({ FIREBASE_CLIENT_EMAIL: email, FIREBASE_PRIVATE_KEY: pem }, clock) {
    if (email === undefined || pem === undefined) return undefined
    const key = createPrivateKey(pem.replaceAll('\\n', '\n'))
    return (accountId) => {
      const now = Math.floor(clock() / 1000)
      return new SignJWT({ uid: accountId, claims: { plan: 'free' } })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
        .setIssuer(email)
        .setSubject(email)
        .setAudience(AUDIENCE)
        .setIssuedAt(now)
        .setExpirationTime(now + 3600)
        .sign(key)
    }
  },
}

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ISSUER = 'https://provider.test'
const issuers = join(mkdtempSync(join(tmpdir(), 'api-docs-')), 'issuers.json')
writeFileSync(
  issuers,
  JSON.stringify([
    {
      issuer: ISSUER,
      audiences: ['app'],
      jwks_uri: `${ISSUER}/keys`,
      algorithms: ['ES256'],
      sign_up: true,
      link_verified_email: false,
      nonce: 'client_id',
    },
  ]),
)

/** Variables that switch on the features that are off by default. Unknown ones are ignored. */
export const ALL_ON = {
  APP_ID: 'app',
  JWT_SHARED_SECRET_ID: 'secret',
  JWT_SHARED_SECRET: 's'.repeat(32),
  TRUSTED_ISSUERS: issuers,
}

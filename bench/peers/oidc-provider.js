// oidc-provider's client_credentials with a JWT, or an encrypted JWT with BENCH_ENCRYPT=1. Nothing
// is written to disk.
import Provider from 'oidc-provider'
import { encryptionKey, listen } from './listen.js'

const encrypt = { alg: 'ECDH-ES+A128KW', enc: 'A128GCM', key: encryptionKey, kid: 'bench' }
const resource = {
  scope: 'read',
  audience: 'bench',
  accessTokenTTL: 900,
  accessTokenFormat: 'jwt',
  jwt: {
    sign: { alg: 'ES256' },
    ...(process.env.BENCH_ENCRYPT === '1' ? { encrypt } : {}),
  },
}
const provider = new Provider(`http://127.0.0.1:${process.env.PORT}`, {
  clients: [
    {
      client_id: 'bench',
      client_secret: process.env.BENCH_SECRET,
      grant_types: ['client_credentials'],
      id_token_signed_response_alg: 'ES256',
      redirect_uris: [],
      response_types: [],
    },
  ],
  jwks: { keys: [JSON.parse(process.env.BENCH_KEYS).signingPrivate] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:bench',
      getResourceServerInfo: () => resource,
    },
  },
})
listen(provider)

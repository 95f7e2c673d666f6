import { encryptionAlgsFor, SIGNING_ALGS } from '../../../protocol/algorithms.ts'
import { defineFeature } from '../../feature.ts'
import { limitWithin } from '../../http/route-table.ts'
import { createAuthenticateService } from './authenticate-service.ts'
import { createClientCredentials } from './client-credentials.ts'
import { createIntrospect } from './introspection.ts'
import { createIntrospectionRoute } from './introspection-route.ts'
import { createServiceClients } from './service-clients.ts'
import { SERVICE_HISTORY, serviceDatabase } from './service-tables.ts'
import { sweepAssertions } from './used-assertions.ts'

/**
 * The operator's own programs as confidential clients. They prove who they are with a key, get tokens
 * for calling each other, and ask whether somebody's token is still good.
 */
export const serviceClients = defineFeature({
  history: SERVICE_HISTORY,
  create(core) {
    const { publicUrl, algorithms } = core.config
    const database = serviceDatabase(core.database)
    const clients = createServiceClients(database)
    const authenticate = createAuthenticateService(core, database, clients)
    const introspect = createIntrospect(core, clients)
    return {
      grants: { client_credentials: createClientCredentials(core, authenticate) },
      routes: ({ open }) => {
        const route = createIntrospectionRoute(core, authenticate, introspect)
        open('POST', '/introspect', limitWithin, route)
      },
      // RFC 8414 §2, RFC 9701 §7.
      metadata: {
        token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
        token_endpoint_auth_signing_alg_values_supported: SIGNING_ALGS,
        introspection_endpoint: `${publicUrl}/introspect`,
        introspection_endpoint_auth_methods_supported: ['private_key_jwt'],
        introspection_endpoint_auth_signing_alg_values_supported: SIGNING_ALGS,
        introspection_signing_alg_values_supported: [algorithms.signingAlg],
        introspection_encryption_alg_values_supported: encryptionAlgsFor('EC'),
        introspection_encryption_enc_values_supported: [algorithms.encryptionEnc],
      },
      sweep: (now) => sweepAssertions(database, now),
    }
  },
})

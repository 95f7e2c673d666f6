import type { Feature } from './feature.ts'
import { admin } from './features/admin/index.ts'
import { apiDocs } from './features/api-docs/index.ts'
import { federation } from './features/federation/index.ts'
import { licenseToken } from './features/license-token/index.ts'
import { metrics } from './features/metrics/index.ts'
import { ownSessions } from './features/own-sessions/index.ts'
import { passwordReset } from './features/password-reset/index.ts'
import { playground } from './features/playground/index.ts'
import { postgres } from './features/postgres/index.ts'
import { sealedBodies } from './features/sealed-bodies/index.ts'
import { serviceClients } from './features/service-clients/index.ts'

/**
 * The features of this server, beside its core. To remove a feature, delete its lines here, its
 * folder, its tests (test/features/<name>/), its page (docs/features/<name>.md) and the page's line in
 * docs/features/README.md. To add one, do the reverse.
 */
export const features: readonly Feature[] = [
  postgres,
  sealedBodies,
  ownSessions,
  passwordReset,
  federation,
  licenseToken,
  serviceClients,
  admin,
  apiDocs,
  playground,
  metrics,
]

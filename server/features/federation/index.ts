import { StartupError } from '../../errors/startup-error.ts'
import { defineFeature } from '../../feature.ts'
import { secretBody } from '../../http/route-table.ts'
import { createAdmit } from './admission.ts'
import { createExchange, TOKEN_EXCHANGE } from './exchange.ts'
import { createIdTokenVerifier } from './id-token-verifier.ts'
import { identityRoutes } from './routes.ts'
import { FEDERATION_HISTORY, federationDatabase } from './tables.ts'
import { trustedIssuers } from './trusted-issuers.ts'
import { sweepUsed } from './used-id-tokens.ts'

/**
 * Lets people exchange an ID token from Google, Firebase or any OpenID provider for a session here.
 */
export const federation = defineFeature({
  variables: { TRUSTED_ISSUERS: trustedIssuers.optional() },
  history: FEDERATION_HISTORY,
  create(core, { TRUSTED_ISSUERS: issuers }) {
    if (issuers === undefined) return {}
    if (issuers.some(({ issuer }) => issuer === core.config.issuer)) {
      throw new StartupError([
        'TRUSTED_ISSUERS lists this server itself (ISSUER), whose tokens are not ID tokens. Remove it.',
      ])
    }
    const database = federationDatabase(core.database)
    const verify = createIdTokenVerifier(core, issuers)
    const admit = createAdmit(database, core.clock)
    const { list, link, unlink, prove } = identityRoutes(core, issuers, verify)
    return {
      grants: { [TOKEN_EXCHANGE]: secretBody(createExchange(core, { database, verify, admit })) },
      proofs: { subject_token: prove },
      routes: ({ signedIn }) => {
        signedIn('GET', '/account/identities', list)
        signedIn('POST', '/account/identities', secretBody(link))
        signedIn('DELETE', '/account/identities/:identity_id', unlink)
      },
      sweep: (now) => sweepUsed(database, now),
    }
  },
})

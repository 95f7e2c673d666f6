import { expect, test } from '@jest/globals'
import { createVerifier } from '../../server/resource-server/verifier.ts'
import { createLogger } from '../../server/log/logger.ts'

test('misspelt options are refused, all at once', async () => {
  const options = { issuer: 'http://localhost:3000', url: 'http://localhost:4000' }
  const logger = createLogger('silent', { write: () => undefined })
  const misspelt = { requestBinding: 'Required', keyBoundTokens: true } as object
  const creating = createVerifier({ ...options, logger, ...misspelt })
  await expect(creating).rejects.toMatchObject({
    name: 'StartupError',
    problems: [
      "The service's requestBinding must be optional or required.",
      "The service's keyBoundTokens must be optional or required.",
    ],
  })
})

import common from './jest.config.js'

/**
 * `npm run test:quick`, for the loop while writing: the modules one by one, without the coverage.
 *
 * @type {import('jest').Config}
 */
export default {
  ...common,
  testPathIgnorePatterns: [
    ...common.testPathIgnorePatterns,
    // Servers and their clients, programs, folders that change.
    '/test/(client|database|example|features|resource-server|scenarios|commands)/',
    '/test/(start|feature)\\.test',
    '/test/http/(access-log|body|cross-origin|draining|error-handler|http-\\w+|no-route)\\.',
    '/test/http/(request-id|request-target|security-headers)\\.',
    '/test/(accounts|clients|discovery|sessions)/[\\w-]*(routes|sign-up|password-change|discovery|authenticate)\\.',
    '/test/keystore/(folder|follow|open|public-key)',
    '/test/sessions/(refresh|sessions)\\.',
    // Many hashes, keys, tokens or texts.
    '/test/accounts/password-hash\\.',
    '/test/keystore/(key-pair|key-set|pem)\\.',
    '/test/pkcs8/encrypted-key\\.',
    '/test/token/(mutations|round-trip|jwe/(interop|oracle))\\.',
    '/test/config/config\\.',
  ],
}

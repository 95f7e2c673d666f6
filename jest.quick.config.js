import common from './jest.config.js'

/**
 * `npm run test:quick`, for use while writing: tests of single modules, without coverage.
 *
 * @type {import('jest').Config}
 */
export default {
  ...common,
  testPathIgnorePatterns: [
    ...common.testPathIgnorePatterns,
    // Tests with servers and clients, programs, or changing folders.
    '/test/(client|database|example|features|resource-server|scenarios|commands)/',
    '/test/(app|start|feature|open-database)\\.test',
    '/test/http/(access-log|body|cross-origin|error-handler|no-route)\\.',
    '/test/http/(request-id|request-head|security-headers)\\.',
    '/test/(accounts|clients|discovery|sessions)/[\\w-]*(routes|sign-up|password-change|discovery|authenticate)\\.',
    '/test/listener/http-',
    '/test/keystore/(folder|follow|open|public-key)',
    '/test/sessions/(refresh|sessions)\\.',
    // Tests with many hashes, keys, tokens or texts.
    '/test/passwords/password-hash\\.',
    '/test/keystore/(key-pair|key-set|pem)\\.',
    '/test/pkcs8/encrypted-key\\.',
    '/test/token/(mutations|round-trip|jwe/(interop|oracle))\\.',
    '/test/config/config\\.',
  ],
}

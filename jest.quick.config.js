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
    '/test/(client|database|example|middleware|routes|service)/',
    '/test/(index|start|http-\\w+)\\.test',
    '/test/accounts/account-command\\.',
    '/test/keystore/(folder|follow|import|keys-command|kills|open|rotation|write)',
    '/test/sessions/(history|refresh|sessions)\\.',
    // Many hashes, keys, tokens or texts.
    '/test/accounts/password-(hash|reset)\\.',
    '/test/token/(mutations|public-key|round-trip)\\.',
    '/test/config\\.',
  ],
}

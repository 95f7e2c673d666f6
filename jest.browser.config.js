import common from './jest.config.js'

/**
 * `npm run test:browser`: the client and the pages of features in a real browser.
 *
 * @type {import('jest').Config}
 */
export default {
  testEnvironment: common.testEnvironment,
  roots: ['<rootDir>/test'],
  testMatch: ['**/browser/**/*.test.ts'],
  extensionsToTreatAsEsm: common.extensionsToTreatAsEsm,
  transform: common.transform,
  // Each has a browser of its own.
  maxWorkers: 2,
  testTimeout: 60_000,
}

import common from './jest.config.js'

/**
 * `npm run test:browser`: the page and the library in a real browser.
 *
 * @type {import('jest').Config}
 */
export default {
  testEnvironment: common.testEnvironment,
  roots: ['<rootDir>/test/browser'],
  testMatch: common.testMatch,
  extensionsToTreatAsEsm: common.extensionsToTreatAsEsm,
  transform: common.transform,
  // Each has a browser of its own.
  maxWorkers: 2,
  testTimeout: 60_000,
}

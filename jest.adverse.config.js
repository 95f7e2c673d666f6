import common from './jest.config.js'

/**
 * `npm run test:hostile` and `npm run test:faults`: a server in a process of its own, among attackers
 * and among faults. They measure times, so they run one after the other.
 *
 * @type {import('jest').Config}
 */
export default {
  testEnvironment: common.testEnvironment,
  roots: ['<rootDir>/test'],
  testMatch: ['<rootDir>/test/**/{hostile,faults}/**/*.test.ts'],
  extensionsToTreatAsEsm: common.extensionsToTreatAsEsm,
  transform: common.transform,
  maxWorkers: 1,
  testTimeout: 600_000,
}

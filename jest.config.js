import { availableParallelism } from 'node:os'

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // Includes the sources, because the coverage would otherwise omit files that no test imports.
  roots: ['<rootDir>/server', '<rootDir>/client', '<rootDir>/pkcs8', '<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // `npm run test:browser`, `test:hostile` and `test:faults`.
  testPathIgnorePatterns: ['/node_modules/', '/test/(.+/)?(browser|hostile|faults)/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } } }],
  },
  collectCoverageFrom: [
    'server/**/*.ts',
    'client/**/*.ts',
    'pkcs8/**/*.ts',
    // These contain only types.
    '!server/http/context.ts',
    '!server/database/schema.ts',
    '!client/options.ts',
    '!client/stores/client-store.ts',
    '!server/resource-server/service-options.ts',
    // These run in a browser. The browser tests measure them.
    '!server/features/*/page/**',
    '!client/stores/indexeddb-store.ts',
    '!client/stores/indexed-db.ts',
  ],
  coverageDirectory: 'coverage',
  coverageProvider: 'babel',
  coverageReporters: ['text', 'json-summary', 'html'],
  coverageThreshold: { global: { lines: 95, branches: 95 } },
  // Three on two cores, because tests spend much of their time waiting, mostly for fsync.
  maxWorkers: Math.ceil(availableParallelism() * 1.5),
  // Jest never frees a test file's modules, and each file slows down every promise of those after it
  // (jest-circus keeps an AsyncLocalStorage of its own). After some 20 files a fresh worker is faster.
  workerIdleMemoryLimit: '400MB',
  // Milliseconds. Node needs a while to free such a worker's heap, on a busy machine more than the 500 that
  // Jest waits by default. What takes this long has left something open.
  workerGracefulExitTimeout: 10_000,
  // On an idle machine, no test takes a tenth of this.
  testTimeout: 60_000,
}

import { availableParallelism } from 'node:os'

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // The sources too, or the coverage leaves out what no test imports.
  roots: ['<rootDir>/server', '<rootDir>/client', '<rootDir>/pkcs8', '<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // `npm run test:browser`.
  testPathIgnorePatterns: ['/node_modules/', '/test/(.+/)?browser/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } } }],
  },
  collectCoverageFrom: [
    ...['server/**/*.ts', 'client/**/*.ts', 'pkcs8/**/*.ts'],
    // Types alone are nothing to run.
    ...['!server/http/context.ts', '!server/database/schema.ts'],
    ...[
      '!client/options.ts',
      '!client/stores/client-store.ts',
      '!server/resource-server/service-options.ts',
    ],
    // These run in a browser, where the browser tests measure them.
    '!server/features/*/page/**',
    ...['!client/stores/indexeddb-store.ts', '!client/stores/indexed-db.ts'],
  ],
  coverageDirectory: 'coverage',
  coverageProvider: 'babel',
  coverageReporters: ['text', 'json-summary', 'html'],
  coverageThreshold: { global: { lines: 95, branches: 95 } },
  // Three on two cores: much of a test is waiting, for fsync above all.
  maxWorkers: Math.ceil(availableParallelism() * 1.5),
  // Jest never frees a test file's modules, and each file slows down every promise of those after it
  // (jest-circus keeps an AsyncLocalStorage of its own). After some 20 files a fresh worker is faster.
  workerIdleMemoryLimit: '400MB',
  // Nothing takes a tenth of it on a quiet machine.
  testTimeout: 60_000,
}

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // server/ too, or the coverage leaves out what no test imports.
  roots: ['<rootDir>/server', '<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } } }],
  },
  // Types alone are nothing to run.
  collectCoverageFrom: ['server/**/*.ts', '!server/context.ts', '!server/database/schema.ts'],
  coverageDirectory: 'coverage',
  coverageProvider: 'v8',
  coverageReporters: ['text', 'json-summary', 'html'],
  coverageThreshold: { global: { lines: 95, branches: 95 } },
  // Both of two cores: much of a test is waiting.
  maxWorkers: '100%',
  testTimeout: 30_000,
}

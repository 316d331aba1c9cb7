export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^@temporalio/worker$': '<rootDir>/test/stack/temporal-worker.mjs',
  },
  globalSetup: '<rootDir>/test/stack/global-setup.mjs',
  globalTeardown: '<rootDir>/test/stack/global-teardown.mjs',
  testTimeout: 60_000,
  testSequencer: '<rootDir>/test/stack/longest-first.mjs',
  // One more than the cores of the smallest machine: most of a test is waiting.
  maxWorkers: 3,
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
};

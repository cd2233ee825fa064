/** What every project has. */
const shared = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
};

/** Suites of the driver that look at open-iscsi's database: they run on a fake host of each release. */
const ON_EACH_RELEASE = ['attach', 'chap-secrets', 'connect', 'contract', 'discovery', 'killed-under-lock', 'late-paths', 'many-at-once', 'multipath', 'process-counts', 'several-ifaces', 'unread-record'];

/** @type {import('jest').Config} */
export default {
  maxWorkers: '100%',
  collectCoverageFrom: ['src/**/*.ts'],
  coverageReporters: ['text-summary', 'html'],
  projects: [
    { ...shared, testMatch: ['**/*.test.ts'] },
    {
      ...shared, displayName: 'open-iscsi 2.1.11', globals: { FAKE_OPEN_ISCSI: '2.1.11' },
      testMatch: ON_EACH_RELEASE.map((name) => `<rootDir>/test/driver/${name}.test.ts`),
    },
  ],
};

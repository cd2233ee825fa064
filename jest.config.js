import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const TESTS = 'test';
/** A test that reads what was captured from open-iscsi, itself or through one of these. */
const READS_CAPTURED = /from '[./\w-]*\/(?:captured|doctor-host)\.js'/;

/** @type {import('jest').Config} */
const common = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
};

/** Suites of the driver that look at open-iscsi's database: they run on a fake host of each release. */
const ON_EACH_RELEASE = [
  'attach',
  'chap-secrets',
  'connect',
  'contract',
  'discovery',
  'killed-under-lock',
  'late-paths',
  'many-at-once',
  'multipath',
  'process-counts',
  'several-ifaces',
  'unread-record',
];
const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts'));
const reading = files.filter((file) => READS_CAPTURED.test(readFileSync(join(TESTS, file), 'utf8')));

/**
 * Whatever reads captured text runs a second time, over what another release of open-iscsi wrote and said
 * (test/initiator/captured.ts).
 * @type {import('jest').Config}
 */
export default {
  maxWorkers: '100%',
  // ES modules of a test file stay in its worker's memory (vm.SourceTextModule): Node 22 runs out of it else.
  workerIdleMemoryLimit: '1GB',
  testTimeout: 30_000, // a busy machine is slow
  projects: [
    { ...common, displayName: 'unit', testMatch: ['**/*.test.ts'], globals: { OPEN_ISCSI: '2.1.11' } },
    {
      ...common,
      displayName: 'open-iscsi 2.1.8',
      testMatch: reading.map((file) => `<rootDir>/${TESTS}/${file}`),
      globals: { OPEN_ISCSI: '2.1.8' },
    },
    {
      ...common,
      displayName: 'host with open-iscsi 2.1.11',
      globals: { OPEN_ISCSI: '2.1.11', FAKE_OPEN_ISCSI: '2.1.11' },
      testMatch: ON_EACH_RELEASE.map((name) => `<rootDir>/${TESTS}/driver/${name}.test.ts`),
    },
  ],
  collectCoverageFrom: ['src/**/*.ts'],
  coverageReporters: ['text-summary', 'html'],
};

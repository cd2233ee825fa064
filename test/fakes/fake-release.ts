import { readFileSync } from 'node:fs';

/** An open-iscsi as a distribution ships it, as far as this library can tell one from another. */
export interface FakeRelease {
  readonly version: '2.1.8' | '2.1.11';
  /** Where it keeps its records. */
  readonly root: string;
  /** Whether the package brings the folders of the records along. */
  readonly hasFolders: boolean;
}

/** Debian 12. */
export const OPEN_ISCSI_2_1_8: FakeRelease = { version: '2.1.8', root: '/etc/iscsi', hasFolders: true };
/** Debian 13: no folder is there before the first record. */
export const OPEN_ISCSI_2_1_11: FakeRelease = { version: '2.1.11', root: '/var/lib/iscsi', hasFolders: false };
export const RELEASES: readonly FakeRelease[] = [OPEN_ISCSI_2_1_8, OPEN_ISCSI_2_1_11];

/** What a made-up host has unless a test says otherwise: jest.config.js runs suites on each. */
export const THIS_RELEASE =
  RELEASES.find(({ version }) => version === (globalThis as { readonly FAKE_OPEN_ISCSI?: string }).FAKE_OPEN_ISCSI) ??
  OPEN_ISCSI_2_1_8;
/** Where it keeps its records. */
export const ROOT = THIS_RELEASE.root;

/** What the release's iscsiadm prints when it is asked for a discovery record that is not there. */
export function absentRecordText({ version }: FakeRelease): string {
  return readFileSync(`test/fixtures/open-iscsi/${version}/answers/discovery-record-absent.txt`, 'utf8');
}

/** Part of the release's own program: the constants among which its paths are. Each character is a byte. */
export function programText({ version }: FakeRelease): string {
  return readFileSync(`test/fixtures/open-iscsi/${version}/iscsiadm.rodata`, 'latin1');
}

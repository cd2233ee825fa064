import { readFileSync } from 'node:fs';

/** The release of open-iscsi whose text this run of the test reads: jest.config.js runs it over each. */
declare const OPEN_ISCSI: string;
export const CAPTURED_RELEASE = OPEN_ISCSI;

/** Text captured from open-iscsi; its README says how. */
export function captured(name: string): string {
  return readFileSync(`test/fixtures/open-iscsi/${CAPTURED_RELEASE}/${name}`, 'utf8');
}

export interface CapturedAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function capturedAnswer(name: string): CapturedAnswer {
  return JSON.parse(captured(`answers/${name}.json`)) as CapturedAnswer;
}

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

/**
 * A captured node record as it would be of another target and portal: open-iscsi goes by what is in a record, not by
 * where it lies.
 */
export function capturedRecord(
  name: string,
  { target, address }: { readonly target: string; readonly address: string },
): string {
  return captured(name)
    .replace(/^node\.name = .*$/m, `node.name = ${target}`)
    .replace(/^node\.conn\[0\]\.address = .*$/m, `node.conn[0].address = ${address}`);
}

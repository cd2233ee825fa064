import { readFileSync } from 'node:fs';

/** Text captured from open-iscsi 2.1.8; its README says how. */
export function captured(name: string): string {
  return readFileSync(`test/fixtures/open-iscsi/2.1.8/${name}`, 'utf8');
}

export interface CapturedAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function capturedAnswer(name: string): CapturedAnswer {
  return JSON.parse(captured(`answers/${name}.json`)) as CapturedAnswer;
}

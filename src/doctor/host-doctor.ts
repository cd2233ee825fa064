import { ALL_CHECKS } from './checks/all-checks.js';
import type { Doctor } from './doctor.js';
import type { Finding, Severity } from './finding.js';
import { type DoctorParts, readHostState } from './read-host-state.js';

const GRAVEST_FIRST: readonly Severity[] = ['error', 'warning', 'ok'];

/** The doctor of this host: one look at everything, then the checks. */
export class HostDoctor implements Doctor {
  readonly #parts: DoctorParts;

  constructor(parts: DoctorParts) {
    this.#parts = parts;
  }

  async examine(configOrigin: string, signal: AbortSignal): Promise<readonly Finding[]> {
    const state = await readHostState(this.#parts, configOrigin, signal);
    const findings = ALL_CHECKS.flatMap((check) => check(state));
    return GRAVEST_FIRST.flatMap((severity) => once(findings.filter((finding) => finding.severity === severity)));
  }
}

/**
 * Without the second of two that say the same: one folder that this user may not read stands in the way of several
 * looks.
 */
function once(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(
    ({ code, message }, index) =>
      findings.findIndex((other) => other.code === code && other.message === message) === index,
  );
}

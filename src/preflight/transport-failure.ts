import { isVolumeError, type VolumeError, type VolumeErrorCode } from '../base/volume-error.js';
import { formatPortal, parsePortal, type Portal } from '../connection/portal.js';
import { type IfaceName, parseIfaceName } from '../iface/iface-name.js';

/**
 * Failures of the transport itself. A wrong password, a refusal or a missing target would meet TCP as well, and must
 * not be hidden by it.
 */
export const TRANSPORT_FAILURES = [
  'TRANSPORT_UNAVAILABLE',
  'TRANSPORT_MISMATCH',
  'PORTAL_UNREACHABLE',
] as const satisfies readonly VolumeErrorCode[];
export type TransportFailureCode = (typeof TRANSPORT_FAILURES)[number];

/** That an iface could not reach a portal at a login, and the fallback could. */
export interface TransportFailure {
  readonly iface: IfaceName;
  /** Without a tag, which is no part of a portal's identity. */
  readonly portal: Portal;
  readonly code: TransportFailureCode;
  /** One line for people: the error's messages through all its causes. */
  readonly reason: string;
  readonly hint: string | undefined;
  /** When it failed, by `Clock.now()`: milliseconds since the boot. */
  readonly failedAt: number;
}

export function isTransportFailure(error: unknown): error is VolumeError & { readonly code: TransportFailureCode } {
  return isVolumeError(error, ...TRANSPORT_FAILURES);
}

export function isTransportFailureCode(code: unknown): code is TransportFailureCode {
  return (TRANSPORT_FAILURES as readonly unknown[]).includes(code);
}

/** The failures of one boot of this host. */
export interface FailuresFile {
  /** The kernel's id of the boot in which `failedAt` counts. */
  readonly bootId: string;
  readonly failures: readonly TransportFailure[];
}

const VERSION = 1;

export function formatFailures({ bootId, failures }: FailuresFile): string {
  const entries = failures.map(({ iface, portal, code, reason, hint, failedAt }) => ({
    iface,
    portal: formatPortal(portal),
    code,
    reason,
    ...(hint === undefined ? {} : { hint }),
    failedAt,
  }));
  return `${JSON.stringify({ version: VERSION, bootId, failures: entries }, undefined, 2)}\n`;
}

/**
 * Reads what formatFailures() wrote, and believes nothing: another program, a newer version or a full disk may have
 * written the file.
 * @throws {SyntaxError} that says what is wrong with it
 */
export function parseFailures(text: string): FailuresFile {
  const file = asRecord(JSON.parse(text), 'the file');
  if (file['version'] !== VERSION) throw new SyntaxError(`version is not ${VERSION}`);
  const { failures } = file;
  if (!Array.isArray(failures)) throw new SyntaxError('failures is not a list');
  return { bootId: textOf(file, 'bootId'), failures: failures.map(parseFailure) };
}

function parseFailure(value: unknown): TransportFailure {
  const entry = asRecord(value, 'a failure');
  const { code, hint, failedAt } = entry;
  if (!isTransportFailureCode(code)) throw new SyntaxError('code is not that of a transport that failed');
  if (hint !== undefined && typeof hint !== 'string') throw new SyntaxError('hint is not a text');
  if (typeof failedAt !== 'number') throw new SyntaxError('failedAt is not a number');
  const { address, port } = parsePortal(textOf(entry, 'portal'));
  return {
    iface: parseIfaceName(textOf(entry, 'iface')),
    portal: { address, port },
    code,
    reason: textOf(entry, 'reason'),
    hint,
    failedAt,
  };
}

function asRecord(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SyntaxError(`${name} is not an object`);
  return Object.fromEntries(Object.entries(value));
}

function textOf(record: Readonly<Record<string, unknown>>, key: string): string {
  const value = record[key];
  if (typeof value !== 'string') throw new SyntaxError(`${key} is not a text`);
  return value;
}

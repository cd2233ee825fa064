import type { Command } from '../../host/command.js';
import { formatDomainRef, type DeviceScope, type DomainRef } from '../libvirt.js';

/** Not /dev/stdin: that link is udev's to make, and a container may lack it. */
const STDIN = '/proc/self/fd/0';

/** A virsh that reaches one URI, and how long one command may take. */
export interface Virsh {
  readonly uri: string;
  readonly timeoutMs: number;
}

/**
 * virsh reads files by name only, and on Linux a process cannot open its own standard input by name when that is a
 * socket, as Node.js makes it (open(2), ENXIO). A here-document is a pipe or a file, so this hands the input over. All
 * that varies comes as positional parameters or as input: nothing is ever read as shell.
 */
const WITH_OPENABLE_INPUT = 'input=$(cat) && exec virsh "$@" <<INPUT\n$input\nINPUT';

export const domainInfo = (virsh: Virsh, domain: DomainRef): Command => plain(virsh, 'dominfo', ...named(domain));

/** One line for each guest: its UUID and its name. */
export const domainNames = (virsh: Virsh): Command => plain(virsh, 'list', '--all', '--uuid', '--name');

export const dumpXml = (virsh: Virsh, domain: DomainRef, which: 'live' | 'config'): Command =>
  plain(virsh, 'dumpxml', ...named(domain), ...(which === 'config' ? ['--inactive'] : []));

export const attachDevice = (virsh: Virsh, domain: DomainRef, xml: string, scope: DeviceScope): Command =>
  withInput(virsh, xml, 'attach-device', ...named(domain), '--file', STDIN, ...flags(scope));

export const detachDevice = (virsh: Virsh, domain: DomainRef, xml: string, scope: DeviceScope): Command =>
  withInput(virsh, xml, 'detach-device', ...named(domain), '--file', STDIN, ...flags(scope));

export const blockResize = (virsh: Virsh, domain: DomainRef, disk: string, sizeBytes: number): Command =>
  plain(virsh, 'blockresize', ...named(domain), '--path', disk, '--size', `${sizeBytes}B`);

export const updateDevice = (virsh: Virsh, domain: DomainRef, xml: string, scope: DeviceScope): Command =>
  withInput(virsh, xml, 'update-device', ...named(domain), '--file', STDIN, ...flags(scope));

/** A persistent guest's disk is copied as a transient job only: rpc/protocol.ts, BLOCK_COPY. */
export const blockCopy = (virsh: Virsh, domain: DomainRef, disk: string, targetXml: string): Command =>
  withInput(
    virsh,
    targetXml,
    'blockcopy',
    ...named(domain),
    '--path',
    disk,
    '--xml',
    STDIN,
    '--reuse-external',
    '--transient-job',
  );

export const blockJob = (virsh: Virsh, domain: DomainRef, disk: string): Command =>
  plain(virsh, 'blockjob', ...named(domain), '--path', disk, '--raw');

export const blockJobAbort = (
  virsh: Virsh,
  domain: DomainRef,
  disk: string,
  { pivot }: { readonly pivot: boolean },
): Command => plain(virsh, 'blockjob', ...named(domain), '--path', disk, pivot ? '--pivot' : '--abort');

export const secretList = (virsh: Virsh): Command => plain(virsh, 'secret-list');

export const secretDefine = (virsh: Virsh, xml: string): Command =>
  withInput(virsh, xml, 'secret-define', '--file', STDIN);

/** @param base64 the value in base64, so that no newline at its end counts */
export const secretSetValue = (virsh: Virsh, uuid: string, base64: string): Command =>
  withInput(virsh, base64, 'secret-set-value', '--secret', uuid, '--file', STDIN);

export const secretUndefine = (virsh: Virsh, uuid: string): Command =>
  plain(virsh, 'secret-undefine', '--secret', uuid);

function plain({ uri, timeoutMs }: Virsh, ...args: readonly string[]): Command {
  return { program: 'virsh', args: ['--connect', uri, ...args], patience: { kind: 'kill', ms: timeoutMs } };
}

function withInput({ uri, timeoutMs }: Virsh, input: string, ...args: readonly string[]): Command {
  return {
    program: 'sh',
    args: ['-c', WITH_OPENABLE_INPUT, 'virsh', '--connect', uri, ...args],
    patience: { kind: 'kill', ms: timeoutMs },
    input,
  };
}

function named(domain: DomainRef): readonly string[] {
  return ['--domain', formatDomainRef(domain)];
}

function flags({ live, config }: DeviceScope): readonly string[] {
  return [...(live ? ['--live'] : []), ...(config ? ['--config'] : [])];
}

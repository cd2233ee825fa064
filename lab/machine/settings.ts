import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Residue } from './residue.js';

const FILES = [
  '/etc/iscsi/iscsid.conf',
  '/etc/iscsi/initiatorname.iscsi',
  '/etc/multipath.conf',
  '/usr/sbin/iscsid',
  '/usr/sbin/iscsiadm',
];
/** Of the stand-in for an offload card, and what it takes the place of. iscsiadm may load the others for good. */
const TRANSPORTS = ['tcp', 'iser', 'ocs'];
const TRANSPORTS_FOLDER = '/sys/class/iscsi_transport';

/** What scenarios change for purposes of their own, and must put back: one line for each, as residue is told. */
export function readSettings(): Residue {
  const transports = existsSync(TRANSPORTS_FOLDER) ? readdirSync(TRANSPORTS_FOLDER) : [];
  return [
    ...FILES.map((file) => `file ${file} of content ${contentOf(file)}`),
    ...addresses(),
    ...transports.filter((name) => TRANSPORTS.includes(name)).map((name) => `transport ${name}`),
  ].sort();
}

/** Link-local ones come and go by themselves. */
function addresses(): readonly string[] {
  return Object.entries(networkInterfaces()).flatMap(([device, all = []]) =>
    all.filter(({ scopeid = 0 }) => scopeid === 0).map(({ cidr }) => `address ${cidr ?? '?'} of ${device}`),
  );
}

function contentOf(file: string): string {
  return existsSync(file) ? createHash('sha1').update(readFileSync(file)).digest('hex').slice(0, 12) : 'none';
}

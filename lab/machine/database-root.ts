import { readFileSync } from 'node:fs';

const ISCSIADM = '/usr/sbin/iscsiadm';
const ROOTS = ['/etc/iscsi', '/var/lib/iscsi'] as const;
let found: string | undefined;

/**
 * Where this machine's open-iscsi keeps its records, by the path that is compiled into iscsiadm (usr/idbm.h,
 * NODE_CONFIG_DIR). The scenarios' own reading of it: what the product takes for the root is for them to prove.
 */
export function databaseRoot(): string {
  return (found ??= rootIn(readFileSync(ISCSIADM)));
}

export const nodesFolder = (): string => `${databaseRoot()}/nodes`;
export const ifacesFolder = (): string => `${databaseRoot()}/ifaces`;
export const sendTargetsFolder = (): string => `${databaseRoot()}/send_targets`;

/** @throws {Error} unless the program has the path of one root and not of the other */
export function rootIn(program: Buffer): string {
  const [root, ...others] = ROOTS.filter((candidate) => program.includes(`\0${candidate}/nodes\0`));
  if (root === undefined || others.length > 0) {
    throw new Error(`Cannot find the root of open-iscsi's database in ${ISCSIADM}`);
  }
  return root;
}

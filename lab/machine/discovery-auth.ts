import { writeFileSync } from 'node:fs';
import type { Chap } from './lio-target.js';

const FOLDER = '/sys/kernel/config/target/iscsi/discovery_auth';

/**
 * Makes every portal of the machine ask discoveries for CHAP, until the result is disposed of. LIO has one account for
 * all of them.
 */
export function demandDiscoveryAuth({ username, password }: Chap): Disposable {
  write({ userid: username, password, enforce_discovery_auth: '1' });
  return {
    [Symbol.dispose]: () => {
      write({ enforce_discovery_auth: '0', userid: 'NULL', password: 'NULL' });
    },
  };
}

function write(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) writeFileSync(`${FOLDER}/${name}`, value);
}

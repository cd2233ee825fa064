import { expect, test } from '@jest/globals';
import { findDatabaseRoot } from '../../src/iface/database-root.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { FakeHost } from '../fakes/fake-host.js';

const [ETC, LIB] = ['/etc/iscsi', '/var/lib/iscsi'];

/** The root on a host with these folders (a path that ends in a slash) and files, and nothing else of open-iscsi. */
async function rootWith(...paths: readonly string[]): Promise<string> {
  const host = new FakeHost({ clock: new FakeClock() });
  host.tree.remove(ETC);
  for (const path of paths) {
    if (path.endsWith('/')) host.tree.directory(path.slice(0, -1));
    else host.tree.write(path, '');
  }
  return await findDatabaseRoot(host);
}

test.each<[string, string, readonly string[]]>([
  [ETC, 'is where the only node record is', [`${ETC}/nodes/iqn.a/192.0.2.1,3260,1/default`, `${LIB}/nodes/`, `${LIB}/ifaces/`]],
  [LIB, 'is where the only node record is', [`${LIB}/nodes/iqn.a/192.0.2.1,3260,1/default`, `${ETC}/nodes/`, `${ETC}/ifaces/`]],
  [LIB, 'is where the only iface record is', [`${LIB}/ifaces/mine`, `${ETC}/nodes/`, `${ETC}/ifaces/`]],
  [ETC, 'is taken when both have records', [`${ETC}/ifaces/mine`, `${LIB}/nodes/iqn.a/192.0.2.1,3260,1/default`]],
  [LIB, 'has the only folders', [`${LIB}/nodes/`, `${ETC}/iscsid.conf`]],
  [LIB, 'has one of the folders, the other root none', [`${LIB}/ifaces/`]],
  [ETC, 'is taken when both have folders', [`${ETC}/nodes/`, `${LIB}/nodes/`, `${LIB}/ifaces/`]],
  [LIB, 'has a record, the other root the example only', [`${LIB}/ifaces/mine`, `${ETC}/ifaces/iface.example`]],
  [ETC, 'has folders with the example, the other root as well', [`${ETC}/ifaces/iface.example`, `${LIB}/ifaces/iface.example`]],
  [ETC, 'is taken when there is neither', []],
])('findDatabaseRoot() gives %s when it %s', async (root, _when, paths) => { expect(await rootWith(...paths)).toBe(root); });

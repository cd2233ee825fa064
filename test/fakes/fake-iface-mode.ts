import type { CommandResult } from '../../src/host/command.js';
import { parseRecord, readRecord } from '../../src/database/record-text.js';
import type { FakeTree } from './fake-tree.js';

const FIELDS = [
  'iface.transport_name',
  'iface.hwaddress',
  'iface.ipaddress',
  'iface.net_ifacename',
  'iface.initiatorname',
] as const;
const BUILT_IN = ['default tcp,<empty>,<empty>,<empty>,<empty>', 'iser iser,<empty>,<empty>,<empty>,<empty>'];

/**
 * `iscsiadm -m iface` (open-iscsi, usr/iscsiadm.c, MODE_IFACE): makes a record for each HBA that has none, named for
 * its transport and MAC, then prints all of them, files first. Software transports' hosts get none (usr/iface.c,
 * iface_setup_host_bindings). One key that it does not have, or a word that is none of a key's, ends the list
 * (libopeniscsiusr/idbm.c, _idbm_recs_read); a record without a transport is not listed (_iface_is_valid).
 * @param root where it keeps its records
 * @param naming what follows `transport.mac` in a name: nothing, or `.ipv4.0` (libopeniscsiusr since 2.1.5)
 */
export function listFakeIfaces(tree: FakeTree, root: string, naming: '' | '.ipv4.0'): CommandResult {
  const folder = `${root}/ifaces`;
  const records = (): readonly (readonly [string, ReadonlyMap<string, string>])[] =>
    tree.list(folder).map((name) => [name, parseRecord(tree.read(`${folder}/${name}`) ?? '')]);
  for (const host of tree.list('/sys/class/iscsi_host')) {
    const transport = (tree.read(`/sys/class/scsi_host/${host}/proc_name`) ?? '').trim().replace(/^iscsi_/, '');
    const mac = (tree.read(`/sys/class/iscsi_host/${host}/hwaddress`) ?? '').trim();
    if (
      ['', 'tcp', 'iser'].includes(transport) ||
      records().some(([, record]) => record.get('iface.hwaddress')?.toLowerCase() === mac.toLowerCase())
    )
      continue;
    const unset = naming === '' ? '' : 'iface.ipaddress = default\niface.net_ifacename = default\n';
    tree.write(
      `${folder}/${transport}.${mac}${naming}`,
      `# BEGIN RECORD 2.1.8\niface.iscsi_ifacename = ${transport}.${mac}${naming}\niface.transport_name = ` +
        `${transport}\niface.hwaddress = ${mac}\n${unset}# END RECORD\n`,
    );
  }
  for (const name of tree.list(folder)) {
    const path = `${folder}/${name}`;
    const spoiled = readRecord(tree.read(path) ?? '').oddLines.find(
      ({ effect }) => effect === 'unknown' || effect === 'refused',
    );
    if (spoiled?.effect === 'unknown')
      return {
        exitCode: 7,
        stdout: '',
        stderr: `iSCSI ERROR: Unknown parameter name ${spoiled.key ?? ''}\niSCSI ERROR: config file ${path} invalid.\n`,
      };
    if (spoiled !== undefined)
      return {
        exitCode: 1,
        stdout: '',
        stderr: `iSCSI ERROR: Got unknown data type for name '${spoiled.key ?? ''}'\n`,
      };
  }
  const valueOf = (record: ReadonlyMap<string, string>, field: string): string =>
    record.get(field) ?? (field === 'iface.transport_name' ? 'tcp' : '<empty>');
  const lines = records()
    .filter(([, record]) => record.has('iface.transport_name'))
    .map(([name, record]) => `${name} ${FIELDS.map((field) => valueOf(record, field)).join(',')}`);
  return { exitCode: 0, stdout: [...lines, ...BUILT_IN, ''].join('\n'), stderr: '' };
}

import { expect, test } from '@jest/globals';
import { TOKENS } from '../../src/tokens.js';
import { openFakeWorld } from '../fakes/fake-world.js';

const NAME = 'iqn.2026-11.org.example:host';
const FILE = '/etc/iscsi/initiatorname.iscsi';

test.each([
  ['as the packages write it', `InitiatorName=${NAME}\n`],
  ['blanks around the equals sign', `InitiatorName = ${NAME}\n`],
  ['tabs, CRLF and lines around it', `# ours\r\nInitiatorAlias=rack 4\r\n\tInitiatorName\t=\t${NAME}\t\r\n[other]\r\n`],
  ['no line break at the end', `InitiatorName=${NAME}`],
  ['two of them', `InitiatorName=${NAME}\nInitiatorName=iqn.2026-11.org.example:second\n`],
  [
    'one that is commented out, and one that is not',
    `#InitiatorName=iqn.2026-11.org.example:old\n;InitiatorName=${NAME}\n`,
  ],
  ['a comment behind the name', `InitiatorName=${NAME} # ours\n`],
  ['a name behind a line that is too long', `#${'x'.repeat(1_022)}InitiatorName=${NAME}\n`],
])('connector properties carry the initiator name that iscsid logs in by: %s', async (_what, text) => {
  const world = openFakeWorld();
  world.host.tree.write(FILE, text);
  const { initiator } = await world.container.get(TOKENS.connectorProperties).getConnectorProperties();
  const connectionInfo = (await world.publish(1))[0]?.connectionInfo;
  for (const target of world.host.targets) target.admits = new Set([initiator]);
  expect((await world.driver.connect(connectionInfo)).device.path).toBe('/dev/sda');
});

test('connect() to a target that does not know this host is refused', async () => {
  const world = openFakeWorld();
  world.host.tree.write(FILE, `initiatorname=${NAME}\n`);
  const connectionInfo = (await world.publish(1))[0]?.connectionInfo;
  for (const target of world.host.targets) target.admits = new Set([NAME]);
  await expect(world.driver.connect(connectionInfo)).rejects.toMatchObject({ code: 'LOGIN_AUTH_FAILED' });
});

test('connect() works despite odd lines in iscsid.conf and in the iface record', async () => {
  const world = openFakeWorld({ iscsi_iface: 'card' });
  world.host.tree.write(
    '/etc/iscsi/ifaces/card',
    '[iface]\n; mine\niface.transport_name = tcp\nwhat is this\niface.mtu = 9000 # jumbo',
  );
  world.host.tree.write(
    '/etc/iscsi/iscsid.conf',
    '[node]\nwhat is this\n; old\nnode.session.timeo.replacement_timeout = 30 # ' +
      's\nnode.session.timeo.replacement_timeout=5\n',
  );
  const connectionInfo = (await world.publish(1))[0]?.connectionInfo;
  await world.driver.connect(connectionInfo);
  expect(world.host.tree.read('/sys/class/iscsi_session/session1/recovery_tmo')?.trim()).toBe('30');
  await world.driver.disconnect(connectionInfo);
  expect(world.host.residue()).toEqual(['/etc/iscsi/ifaces/card']);
});

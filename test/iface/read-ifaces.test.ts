import { expect, test } from '@jest/globals';
import { parseIface } from '../../src/iface/parse-iface.js';
import { parseIfaceName } from '../../src/iface/iface-name.js';
import { readIfaces } from '../../src/iface/read-ifaces.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { fakeDatabase } from '../fakes/fake-database.js';
import { FakeHost } from '../fakes/fake-host.js';
import { captured } from '../initiator/captured.js';

test('parseIface() reads a record of open-iscsi', () => {
  expect(parseIface('qedi.six', captured('ifaces/qedi.six'))).toMatchObject({
    name: 'qedi.six',
    transport: 'qedi',
    hwaddress: '00:0e:1e:aa:bb:cc',
    ipaddress: '2001:db8::7',
  });
});
test('readIfaces() distinguishes a record of an unknown transport from usable ones', async () => {
  const host = new FakeHost({ clock: new FakeClock() });
  for (const name of ['plain', 'unheard-of']) host.tree.write(`/etc/iscsi/ifaces/${name}`, captured(`ifaces/${name}`));
  const { ifaces, broken } = await readIfaces(host, fakeDatabase(host));
  expect([ifaces.map(({ name }) => name), broken.map(({ name }) => name)]).toEqual([
    ['plain', 'default', 'iser'],
    ['unheard-of'],
  ]);
});
test('readIfaces() ignores a file in place of a built-in iface, as open-iscsi does', async () => {
  const host = new FakeHost({ clock: new FakeClock() });
  host.tree.write('/etc/iscsi/ifaces/iser', captured('ifaces/plain'));
  expect((await readIfaces(host, fakeDatabase(host))).ifaces.map(({ name, transport }) => [name, transport])).toEqual([
    ['default', 'tcp'],
    ['iser', 'iser'],
  ]);
});
test.each(['', '..', 'a/b', '-I', '.hidden', 'a b', 'a\nb', 'x'.repeat(65)])('parseIfaceName(%j) throws', (name) => {
  expect(() => parseIfaceName(name)).toThrow(SyntaxError);
});

test('readIfaces() takes an empty record for broken, not for software TCP', async () => {
  const host = new FakeHost({ clock: new FakeClock() });
  host.tree.write('/etc/iscsi/ifaces/card', '');
  expect((await readIfaces(host, fakeDatabase(host))).broken).toEqual([
    { name: 'card', reason: 'the record /etc/iscsi/ifaces/card is empty', isEmpty: true },
  ]);
});

test('readIfaces() reads a record past its odd lines, and reports them', async () => {
  const host = new FakeHost({ clock: new FakeClock() });
  host.tree.write(
    '/etc/iscsi/ifaces/card',
    '[iface]\n; mine\niface.transport_name = tcp\niface.net_ifacename=eth1\niface.ipaddress = 192.0.2.1\n',
  );
  const { ifaces, broken, odd } = await readIfaces(host, fakeDatabase(host));
  expect(broken).toEqual([]);
  expect(ifaces[0]).toMatchObject({ name: 'card', transport: 'tcp', ipaddress: '192.0.2.1', netIfacename: undefined });
  expect(odd.map(({ path, oddLines }) => [path, ...oddLines.map(({ number }) => number)])).toEqual([
    ['/etc/iscsi/ifaces/card', 1, 2, 4],
  ]);
});

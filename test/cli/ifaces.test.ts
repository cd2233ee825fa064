import { expect, test } from '@jest/globals';
import { cli } from './cli-fixture.js';

const CREATE = ['ifaces', 'create', '--transport', 'cxgb4i', '--hwaddress', '00:07:43:AA:BB:CC'];

test('ifaces create makes a record under a name of its own', async () => {
  const { status, stdout } = await cli()([...CREATE, '--ipaddress', '192.0.2.7', '--json']);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ created: true, iface: { name: 'libvirt-volume.cxgb4i.000743aabbcc.192.0.2.7' } });
});

test('ifaces create of a record that is there changes nothing, and ifaces delete takes it away', async () => {
  const command = cli();
  expect((await command(CREATE)).stdout).toBe('Made libvirt-volume.cxgb4i.000743aabbcc\n');
  expect((await command(CREATE)).stdout).toBe('Nothing to do: libvirt-volume.cxgb4i.000743aabbcc is there\n');
  expect((await command(['ifaces', 'delete', 'libvirt-volume.cxgb4i.000743aabbcc'])).stdout).toBe('Removed libvirt-volume.cxgb4i.000743aabbcc\n');
  expect((await command(['ifaces', 'delete', 'libvirt-volume.cxgb4i.000743aabbcc'])).stdout).toBe('Nothing to do: there is no record libvirt-volume.cxgb4i.000743aabbcc\n');
});

test.each([
  ['a transport that there is not', ['ifaces', 'create', '--transport', 'fcoe', '--hwaddress', '00:07:43:aa:bb:cc'], '"fcoe"'],
  ['a MAC address that is none', ['ifaces', 'create', '--transport', 'qedi', '--hwaddress', '00:07:43'], '"00:07:43"'],
  ['an address that is none', [...CREATE, '--ipaddress', '192.0.2.256'], '"192.0.2.256"'],
  ['no hwaddress', ['ifaces', 'create', '--transport', 'qedi'], '--hwaddress'],
  ['a name that leaves the folder', ['ifaces', 'delete', '../nodes'], '"../nodes"'],
])('ifaces refuses %s with exit status 2', async (_what, args, words) => {
  const { status, stderr } = await cli()(args);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(words) as unknown });
});

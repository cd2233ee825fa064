import { describe, expect, test } from '@jest/globals';
import { openFakeWorld, type FakeWorld } from '../fakes/fake-world.js';

/** A volume whose portal is known by name only. */
async function named(): Promise<{ readonly world: FakeWorld; readonly info: unknown }> {
  const world = openFakeWorld();
  const [volume] = await world.publish(1);
  const { data, ...top } = volume?.connectionInfo as { readonly data: object };
  world.hostNames.addresses.set('storage.example.org', ['192.0.2.10']);
  return { world, info: { ...top, data: { ...data, target_portal: 'storage.example.org:3260' } } };
}

describe('a volume whose portal is a host name', () => {
  test("connect() through a portal's host name uses its address, and the result gives it", async () => {
    const { world, info } = await named();
    const volume = await world.driver.connect(info);
    expect(volume.warnings).toEqual(['storage.example.org:3260 is 192.0.2.10:3260']);
    expect(volume.paths[0].portal).toMatchObject({ address: '192.0.2.10', port: 3260 });
  });

  test("disconnect() through a portal's host name finds the volume after the name has moved", async () => {
    const { world, info } = await named();
    const connected = await world.driver.connect(info);
    world.hostNames.addresses.set('storage.example.org', ['192.0.2.77']);
    expect((await world.driver.find(info))?.device).toEqual(connected.device);
    expect(await world.driver.disconnect(info)).toEqual({
      found: true,
      warnings: ['storage.example.org:3260 is 192.0.2.77:3260; its sessions were made to 192.0.2.10:3260'],
    });
    expect(world.host.residue()).toEqual([]);
  });

  test("disconnect() through a portal's host name works when the name is no longer known", async () => {
    const { world, info } = await named();
    await world.driver.connect(info);
    world.hostNames.addresses.clear();
    expect(await world.driver.disconnect(info)).toMatchObject({ found: true });
    expect(world.host.residue()).toEqual([]);
  });

  test('connect() and disconnect() by a name without address are PORTAL_UNREACHABLE and touch nothing', async () => {
    const { world, info } = await named();
    world.hostNames.addresses.clear();
    await expect(world.driver.connect(info)).rejects.toMatchObject({ code: 'PORTAL_UNREACHABLE' });
    await expect(world.driver.disconnect(info)).rejects.toMatchObject({ code: 'PORTAL_UNREACHABLE' });
    expect(world.host.commands).toEqual([]);
  });

  test('connect() through a host name of two addresses takes the second where the first is silent', async () => {
    const { world, info } = await named();
    world.hostNames.addresses.set('storage.example.org', ['192.0.2.99', '192.0.2.10']);
    expect((await world.driver.connect(info)).paths[0].portal.address).toBe('192.0.2.10');
  });

  test("attach() and detach() of a volume by a portal's host name report the address", async () => {
    const { world, info } = await named();
    world.libvirt.addDomain({ name: 'guest' });
    const { volume } = await world.driver.attach({ kind: 'name', name: 'guest' }, info, { dev: 'vdb', bus: 'virtio' });
    expect(volume.warnings).toEqual(['storage.example.org:3260 is 192.0.2.10:3260']);
    expect(await world.driver.detach({ kind: 'name', name: 'guest' }, info)).toEqual({
      found: true,
      warnings: ['storage.example.org:3260 is 192.0.2.10:3260'],
    });
  });
});

import { describe, expect, test } from '@jest/globals';
import { addTarget, infoFor, openRecordedWorld, type RecordedWorld } from './recorded-world.js';

const WEB1 = { kind: 'name', name: 'web1' } as const;
const WEB2 = { kind: 'name', name: 'web2' } as const;
const VDB = { dev: 'vdb', bus: 'virtio' };
const ONE_GUEST = infoFor(['192.0.2.10:3260']);
const SHARED = { ...ONE_GUEST, multiattach: true };
const REMOVALS = /^sync|^delete|logout/;

/** Guests whose QEMU has the device open as long as it runs with the disk. */
function openWithGuests(...guests: readonly { readonly name: string; readonly active: boolean }[]): RecordedWorld {
  const world = openRecordedWorld();
  addTarget(world, [{ address: '192.0.2.10', port: 3260, serves: 'tcp' }]);
  for (const guest of guests) world.libvirt.addDomain(guest);
  const usersOf = world.host.usersOf.bind(world.host);
  const opens = (name: string, path: string): boolean =>
    world.libvirt.isRunning(name) &&
    world.libvirt.disksOf(name).some(({ sourcePath = '' }) => world.host.tree.resolve(sourcePath) === path);
  world.host.usersOf = async (path, numbers, signal) =>
    guests.some(({ name }) => opens(name, path))
      ? [{ pid: 42, name: 'qemu-system-x86' }]
      : await usersOf(path, numbers, signal);
  return world;
}

const RUNNING = [
  { name: 'web1', active: true },
  { name: 'web2', active: true },
] as const;
const SECOND_OFF = [
  { name: 'web1', active: true },
  { name: 'web2', active: false },
] as const;
const BOTH_OFF = [
  { name: 'web1', active: false },
  { name: 'web2', active: false },
] as const;

describe('a multiattach volume in two guests of one host', () => {
  test('attach() of a multiattach volume to two guests gives both one device, shareable and uncached', async () => {
    const world = openWithGuests(...RUNNING);
    const first = await world.driver.attach(WEB1, SHARED, VDB);
    const second = await world.driver.attach(WEB2, SHARED, VDB);
    expect(second.volume.device.path).toBe(first.volume.device.path);
    expect(world.host.kernel.sessions).toHaveLength(1);
    for (const { diskXml } of [first, second]) expect(diskXml).toMatch(/cache="none"[^]*<shareable\/>/);
  });

  test.each([
    ['run', RUNNING],
    ['the second is shut off', SECOND_OFF],
    ['are both shut off', BOTH_OFF],
  ])('detach() from the second of two guests removes the volume: the guests %s (R85, W-19)', async (_how, guests) => {
    const world = openWithGuests(...guests);
    await world.driver.attach(WEB1, SHARED, VDB);
    await world.driver.attach(WEB2, SHARED, VDB);
    const before = await world.residue();
    expect(await world.driver.detach(WEB1, SHARED)).toEqual({
      found: true,
      warnings: ['the volume stays on this host for the guests that have it too: web2'],
    });
    expect({
      residue: await world.residue(),
      removed: world.deeds.filter((deed) => REMOVALS.test(deed)),
      second: world.libvirt.disksOf('web2').length,
    }).toEqual({ residue: before, removed: [], second: 1 });
    expect(await world.driver.detach(WEB2, SHARED)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('detach() of another guest keeps the shared disk of a guest that is shut off', async () => {
    const world = openWithGuests(...RUNNING);
    await world.driver.attach(WEB1, SHARED, VDB);
    await world.driver.attach(WEB2, SHARED, VDB);
    world.libvirt.stop('web2');
    await world.driver.detach(WEB1, SHARED);
    world.libvirt.start('web2');
    expect((await world.driver.find(SHARED))?.device.path).toBe(
      world.host.tree.resolve(world.libvirt.disksOf('web2')[0]?.sourcePath ?? ''),
    );
  });

  test('detach() of both guests at once removes the volume, and neither leaves it to the other (W-19)', async () => {
    const world = openWithGuests(...RUNNING);
    await world.driver.attach(WEB1, SHARED, VDB);
    await world.driver.attach(WEB2, SHARED, VDB);
    await Promise.all([WEB1, WEB2].map((domain) => world.driver.detach(domain, SHARED)));
    expect(await world.residue()).toEqual([]);
  });

  test('detach() repeated for one guest is quiet, and leaves the shared volume to the other', async () => {
    const world = openWithGuests(...RUNNING);
    await world.driver.attach(WEB1, SHARED, VDB);
    await world.driver.attach(WEB2, SHARED, VDB);
    await world.driver.detach(WEB1, SHARED);
    expect(await world.driver.detach(WEB1, SHARED)).toEqual({
      found: false,
      warnings: [expect.stringContaining('web2')],
    });
    expect(await world.driver.find(SHARED)).toBeDefined();
  });

  test('attach() to a second guest that fails keeps the device of the first', async () => {
    const world = openWithGuests(...RUNNING);
    const { volume } = await world.driver.attach(WEB1, SHARED, VDB);
    await expect(world.driver.attach({ kind: 'name', name: 'nobody' }, SHARED, VDB)).rejects.toMatchObject({
      code: 'DOMAIN_NOT_FOUND',
    });
    await world.driver.attach(WEB2, SHARED, VDB);
    const elsewhere = world.driver.attach(WEB2, SHARED, { ...VDB, dev: 'vdc' });
    await expect(elsewhere).rejects.toMatchObject({ code: 'LIBVIRT_REFUSED' });
    expect((await world.driver.find(SHARED))?.device.path).toBe(volume.device.path);
  });

  test('detach() that cannot ask libvirt for the other guests removes nothing', async () => {
    const world = openWithGuests(...SECOND_OFF);
    await world.driver.attach(WEB1, SHARED, VDB);
    await world.driver.attach(WEB2, SHARED, VDB);
    const listDomains = world.libvirt.listDomains.bind(world.libvirt);
    world.libvirt.listDomains = async (signal) => {
      world.libvirt.stopDaemon();
      return await listDomains(signal);
    };
    await expect(world.driver.detach(WEB1, SHARED)).rejects.toMatchObject({ code: 'LIBVIRT_UNAVAILABLE' });
    expect(world.deeds.filter((deed) => REMOVALS.test(deed))).toEqual([]);
  });
});

describe('a volume without multiattach in two guests, a mistake of the caller', () => {
  test('detach() of a volume without multiattach is DEVICE_IN_USE while a second guest runs with it', async () => {
    const world = openWithGuests(...SECOND_OFF);
    await world.driver.attach(WEB2, ONE_GUEST, VDB); // nobody has it open: attach() takes it for free
    await world.driver.attach(WEB1, ONE_GUEST, VDB);
    world.libvirt.start('web2');
    await expect(world.driver.detach(WEB1, ONE_GUEST)).rejects.toMatchObject({ code: 'DEVICE_IN_USE' });
    expect(world.deeds.filter((deed) => REMOVALS.test(deed))).toEqual([]);
  });
});

import { describe, expect, test } from '@jest/globals';
import { Secret } from '../../src/base/secret.js';
import { isVolumeError } from '../../src/base/volume-error.js';
import type { AttachFault } from '../fakes/fake-libvirt.js';
import { addTarget, dataChanged, infoFor, openRecordedWorld, type RecordedWorld } from './recorded-world.js';

/** libvirt's answer to an attach is lost: what the guest has decides what becomes of the volume. */

const WEB1 = { kind: 'name', name: 'web1' } as const;
const VDB = { dev: 'vdb', bus: 'virtio' };
const INFO = infoFor(['192.0.2.10:3260']);
const ENCRYPTED = dataChanged(INFO, { encrypted: true });
const OPTIONS = { encryption: { passphrase: new Secret('hush-0123456789abcdef') } };
const USAGE = { type: 'volume', id: 'volume-7' } as const;
/** Longer than any daemon takes to restart. */
const FOR_EVER = Number.POSITIVE_INFINITY;

function openWithGuest(active: boolean, fault: AttachFault): RecordedWorld {
  const world = openRecordedWorld();
  addTarget(world, [{ address: '192.0.2.10', port: 3260, serves: 'tcp' }]);
  world.libvirt.addDomain({ name: 'web1', active });
  world.libvirt.failNextAttach(fault);
  return world;
}

/** Where the volume is. */
async function placesOf({ driver, host, libvirt }: RecordedWorld): Promise<object> {
  libvirt.startDaemon();
  return {
    host: (await driver.find(INFO)) !== undefined,
    sessions: host.kernel.sessions.length,
    live: libvirt.isRunning('web1') ? libvirt.disksOf('web1').length : 0,
    config: libvirt.disksOf('web1', 'config').length,
  };
}

describe('attach() whose answer is lost', () => {
  test.each<[string, boolean, AttachFault]>([
    ['a running guest, all done', true, { does: 'all' }],
    ['a shut-off guest, all done', false, { does: 'all' }],
    ['a running guest, all done, the daemon restarts', true, { does: 'all', awayForCalls: 20 }],
    ['a shut-off guest, all done, the daemon restarts', false, { does: 'all', awayForCalls: 20 }],
    ['a running guest whose attach is still under way', true, { does: 'all', late: true }],
  ])('attach() succeeds with a warning where the guest has it: %s', async (_what, active, fault) => {
    const world = openWithGuest(active, fault);
    const { volume } = await world.driver.attach(WEB1, INFO, VDB);
    expect(volume.warnings).toEqual([
      expect.stringMatching(/^libvirt's answer was lost, and the guest has it: .*closed/),
    ]);
    expect(await placesOf(world)).toEqual({ host: true, sessions: 1, live: active ? 1 : 0, config: 1 });
    expect(await world.driver.detach(WEB1, INFO)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test.each<[string, boolean, AttachFault]>([
    ['a running guest', true, { does: 'nothing' }],
    ['a shut-off guest', false, { does: 'nothing' }],
    ['a running guest, and the daemon restarts', true, { does: 'nothing', awayForCalls: 20 }],
    ['a running guest, stored only', true, { does: 'config' }],
    ['a running guest, live only', true, { does: 'live' }],
  ])('attach() is undone where the guest has less than all: %s', async (_what, active, fault) => {
    const world = openWithGuest(active, fault);
    await expect(world.driver.attach(WEB1, INFO, VDB)).rejects.toMatchObject({ code: 'LIBVIRT_UNAVAILABLE' });
    expect(await placesOf(world)).toEqual({ host: false, sessions: 0, live: 0, config: 0 });
    expect(await world.residue()).toEqual([]);
  });

  test.each([true, false])('attach() that is aborted while libvirt does it is a success: active %p', async (active) => {
    const caller = new AbortController();
    const world = openWithGuest(active, {
      does: 'all',
      meanwhile: () => {
        caller.abort();
      },
    });
    const { volume } = await world.driver.attach(WEB1, INFO, VDB, { signal: caller.signal });
    expect(volume.warnings).toEqual([expect.stringContaining('Stopped as the caller asked')]);
    expect(await placesOf(world)).toEqual({ host: true, sessions: 1, live: active ? 1 : 0, config: 1 });
  });

  test('attach() of which a running guest keeps a part is CLEANUP_INCOMPLETE, and the volume stays', async () => {
    const world = openWithGuest(true, { does: 'live' });
    world.libvirt.setAnswer('web1', 'never');
    await expect(world.driver.attach(WEB1, INFO, VDB)).rejects.toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      message: expect.stringContaining('vdb stays in the running guest of guest "web1"') as unknown,
      details: { guest: 'web1', targetDev: 'vdb' },
      cause: { errors: [{ code: 'LIBVIRT_UNAVAILABLE' }, { code: 'DETACH_UNCONFIRMED' }] },
    });
    expect(await placesOf(world)).toEqual({ host: true, sessions: 1, live: 1, config: 0 });
    world.libvirt.setAnswer('web1', 'at once');
    expect(await world.driver.detach(WEB1, INFO)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test.each<[AttachFault['does'], boolean]>([
    ['all', true],
    ['nothing', true],
    ['config', true],
    ['all', false],
  ])('attach() after which libvirt stays away keeps the volume: it does %s, active %p', async (does, active) => {
    const world = openWithGuest(active, { does, awayForCalls: FOR_EVER });
    const began = world.clock.now();
    await expect(world.driver.attach(WEB1, INFO, VDB)).rejects.toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      message: expect.stringContaining('the volume stays on this host') as unknown,
      hint: expect.stringMatching(/attach again.*or detach/) as unknown,
      details: { guest: 'web1', targetDev: 'vdb' },
    });
    expect(world.clock.now() - began).toBeGreaterThanOrEqual(30_000);
    expect(await placesOf(world)).toMatchObject({ host: true, sessions: 1 });
  });

  test('attach() repeated after libvirt was away finds what is done', async () => {
    const world = openWithGuest(true, { does: 'all', awayForCalls: FOR_EVER });
    await expect(world.driver.attach(WEB1, INFO, VDB)).rejects.toMatchObject({ code: 'CLEANUP_INCOMPLETE' });
    world.libvirt.startDaemon();
    expect((await world.driver.attach(WEB1, INFO, VDB)).volume.warnings).toEqual(['the guest had it already']);
  });

  test('attach() that libvirt refuses once the running guest has the disk stores it, and is a success', async () => {
    const world = openWithGuest(true, { does: 'live', says: 'refused' });
    await world.driver.attach(WEB1, INFO, VDB);
    expect(await placesOf(world)).toEqual({ host: true, sessions: 1, live: 1, config: 1 });
  });

  test('attach() before which libvirt cannot be reached is undone at once', async () => {
    const world = openWithGuest(true, { does: 'nothing' });
    const open = world.host.usersOf.bind(world.host);
    world.host.usersOf = async (...args) => {
      world.libvirt.stopDaemon();
      return await open(...args);
    };
    const began = world.clock.now();
    await expect(world.driver.attach(WEB1, INFO, VDB)).rejects.toMatchObject({ code: 'LIBVIRT_UNAVAILABLE' });
    expect(world.clock.now() - began).toBeLessThan(1_000);
    expect(await placesOf(world)).toMatchObject({ host: false, sessions: 0 });
  });
});

describe('attach() of an encrypted volume whose answer is lost', () => {
  test.each<[string, AttachFault, string | undefined]>([
    ['the guest has the disk: the secret stays', { does: 'all' }, 'attached'],
    ['the guest has no part of it: the secret goes', { does: 'nothing' }, 'LIBVIRT_UNAVAILABLE'],
    ['the guest had a part of it: the secret goes', { does: 'config' }, 'LIBVIRT_UNAVAILABLE'],
    ['libvirt stays away: the secret stays', { does: 'nothing', awayForCalls: FOR_EVER }, 'CLEANUP_INCOMPLETE'],
  ])('attach() of an encrypted volume: %s', async (what, fault, expected) => {
    const world = openWithGuest(true, fault);
    const outcome = await world.driver.attach(WEB1, ENCRYPTED, VDB, OPTIONS).then(
      () => 'attached',
      (error: unknown) => (isVolumeError(error) ? error.code : String(error)),
    );
    world.libvirt.startDaemon();
    const stays = what.endsWith('stays');
    expect({
      outcome,
      hasSecret: world.libvirt.secretValue(USAGE) !== undefined,
      here: (await world.driver.find(ENCRYPTED)) !== undefined,
    }).toEqual({ outcome: expected, hasSecret: stays, here: stays });
  });
});

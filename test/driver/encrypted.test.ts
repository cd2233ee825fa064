import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { errorChain } from '../../src/base/error-chain.js';
import { Secret } from '../../src/base/secret.js';
import { isVolumeError, VolumeError } from '../../src/base/volume-error.js';
import type { AttachOptions } from '../../src/driver/attach-options.js';
import { libvirtDiskSchema } from '../disk/libvirt-schema.js';
import { openFakeWorld } from '../fakes/fake-world.js';
import { addTarget, dataChanged, infoFor, openRecordedWorld, type RecordedWorld } from './recorded-world.js';

const WEB1 = { kind: 'name', name: 'web1' } as const;
const WEB2 = { kind: 'name', name: 'web2' } as const;
const VDB = { dev: 'vdb', bus: 'virtio' };
const PLAIN = infoFor(['192.0.2.10:3260']);
const INFO = dataChanged(PLAIN, { encrypted: true });
const USAGE = { type: 'volume', id: 'volume-7' } as const;
const PASSPHRASE = 'hush-0123456789abcdef';
const OPTIONS: AttachOptions = { encryption: { passphrase: new Secret(PASSPHRASE) } };

function openWithGuests(): RecordedWorld {
  const world = openRecordedWorld();
  addTarget(world, [{ address: '192.0.2.10', port: 3260, serves: 'tcp' }]);
  for (const name of ['web1', 'web2']) world.libvirt.addDomain({ name });
  return world;
}

const attach = async (
  world: RecordedWorld,
  options = OPTIONS,
  info = INFO,
  domain: typeof WEB1 | typeof WEB2 = WEB1,
): Promise<string> => (await world.driver.attach(domain, info, VDB, options)).diskXml;

/** All that anybody could read of what the world was told. */
const saidIn = ({ log, told, host }: RecordedWorld, ...more: readonly unknown[]): string =>
  inspect([log.lines, told, host.commands, more], { depth: 12 });

describe('attach() of an encrypted volume', () => {
  test.each([
    ['a Secret', new Secret(PASSPHRASE)],
    ['bytes', new TextEncoder().encode(PASSPHRASE)],
  ])('attach() gives libvirt the passphrase before the guest gets an encrypted disk: %s', async (_what, passphrase) => {
    const world = openWithGuests();
    const attachDevice = world.libvirt.attachDevice.bind(world.libvirt);
    const before: unknown[] = [];
    world.libvirt.attachDevice = async (...args) => {
      before.push(world.libvirt.secretValue(USAGE));
      await attachDevice(...args);
    };
    const diskXml = await attach(world, { encryption: { format: 'luks', passphrase } });
    expect(before).toEqual([PASSPHRASE]);
    expect(diskXml).toContain(
      `<encryption format="luks">\n    <secret type="passphrase" ` +
        `uuid="${(await world.libvirt.findSecret(USAGE, AbortSignal.timeout(1_000))) ?? 'none'}"/>`,
    );
    libvirtDiskSchema().validate(diskXml);
    expect(saidIn(world, diskXml)).not.toContain('hush');
  });

  test('attach() of an encrypted volume without an id uses the serial, for the secret too (R106)', async () => {
    const world = openWithGuests();
    const info = dataChanged(INFO, { volume_id: null });
    await attach(world, OPTIONS, info);
    expect(world.libvirt.secretValue(USAGE)).toBe(PASSPHRASE);
    await world.driver.detach(WEB1, info);
    expect(world.libvirt.secretValue(USAGE)).toBeUndefined();
  });

  test('attach() of an encrypted volume updates the value of a secret that a crash left', async () => {
    const world = openWithGuests();
    const uuid = await world.libvirt.defineSecret(USAGE, new Secret('stale'), AbortSignal.timeout(1_000));
    expect(await attach(world)).toContain(uuid);
    expect(world.libvirt.secretValue(USAGE)).toBe(PASSPHRASE);
  });

  test.each<[string, object, AttachOptions, string, object]>([
    ['no passphrase', {}, {}, 'CONNECTION_INFO_INVALID', { key: 'data.encrypted' }],
    ['a lun', { type: 'lun', bus: 'scsi', dev: 'sdb' }, OPTIONS, 'DISK_INFO_INVALID', { key: 'type' }],
    [
      'LUKS 2',
      {},
      { encryption: { format: 'luks2', passphrase: new Secret(PASSPHRASE) } } as unknown as AttachOptions,
      'USAGE',
      {},
    ],
    [
      'dm-crypt without LUKS',
      {},
      { encryption: { format: 'plain', passphrase: new Secret(PASSPHRASE) } } as unknown as AttachOptions,
      'USAGE',
      {},
    ],
    [
      'text in place of a Secret',
      {},
      { encryption: { passphrase: PASSPHRASE } } as unknown as AttachOptions,
      'USAGE',
      {},
    ],
    ['an empty passphrase', {}, { encryption: { passphrase: new Uint8Array() } }, 'USAGE', {}],
    [
      'a passphrase that QEMU would cut at a NUL',
      {},
      { encryption: { passphrase: new Secret('hush\0hush') } },
      'USAGE',
      {},
    ],
    ['bytes that are not UTF-8', {}, { encryption: { passphrase: Uint8Array.of(0x68, 0xff, 0x75) } }, 'USAGE', {}],
  ])('attach() of an encrypted volume refuses %s, all untouched', async (_what, diskInfo, options, code, details) => {
    const world = openWithGuests();
    const error: unknown = await world.driver
      .attach(WEB1, INFO, { ...VDB, ...diskInfo }, options)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, details });
    expect(saidIn(world, error)).not.toContain('hush');
    expect({ commands: world.host.commands, secret: world.libvirt.secretValue(USAGE) }).toEqual({
      commands: [],
      secret: undefined,
    });
  });

  test.each(['luks2', 'plain'])(
    'attach() of an encrypted volume refuses the format %s by name, with the format to use',
    async (format) => {
      const options = { encryption: { format, passphrase: new Secret(PASSPHRASE) } } as unknown as AttachOptions;
      await expect(attach(openWithGuests(), options)).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringContaining(`the encryption is "${format}": expected luks`) as unknown,
        hint: expect.stringContaining('provider is luks') as unknown,
      });
    },
  );

  test('attach() of an unencrypted volume with a passphrase is refused before anything is touched', async () => {
    const world = openWithGuests();
    await expect(attach(world, OPTIONS, PLAIN)).rejects.toMatchObject({ code: 'USAGE' });
    expect(world.host.commands).toEqual([]);
  });
});

describe('attach() of an encrypted volume that fails', () => {
  test('attach() that libvirt refuses takes the secret back, and shows no word of it', async () => {
    const world = openWithGuests();
    world.libvirt.attachDevice = async () => {
      throw new VolumeError('LIBVIRT_REFUSED', 'Invalid password, cannot unlock any keyslot');
    };
    const error: unknown = await attach(world).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'LIBVIRT_REFUSED' });
    expect({ secret: world.libvirt.secretValue(USAGE), residue: await world.residue() }).toEqual({
      secret: undefined,
      residue: [],
    });
    expect(saidIn(world, error, errorChain(error))).not.toContain('hush');
  });

  test('attach() that fails takes the secret back, and keeps a volume that was connected before', async () => {
    const world = openWithGuests();
    await world.driver.connect(INFO);
    world.libvirt.attachDevice = async () => {
      throw new VolumeError('LIBVIRT_REFUSED', 'no');
    };
    await expect(attach(world)).rejects.toMatchObject({ code: 'LIBVIRT_REFUSED' });
    expect(world.libvirt.secretValue(USAGE)).toBeUndefined();
    expect(await world.driver.find(INFO)).toBeDefined();
  });

  test('attach() that fails after libvirt defined the secret, unconfirmed, takes the secret back', async () => {
    const world = openWithGuests();
    const defineSecret = world.libvirt.defineSecret.bind(world.libvirt);
    world.libvirt.defineSecret = async (...args) => {
      await defineSecret(...args);
      throw new VolumeError('LIBVIRT_UNAVAILABLE', 'the connection is lost');
    };
    await expect(attach(world)).rejects.toMatchObject({ code: 'LIBVIRT_UNAVAILABLE' });
    expect({ secret: world.libvirt.secretValue(USAGE), residue: await world.residue() }).toEqual({
      secret: undefined,
      residue: [],
    });
  });

  test('attach() that fails and cannot take the secret back reports both, and releases the volume', async () => {
    const world = openWithGuests();
    world.libvirt.attachDevice = async () => {
      world.libvirt.stopDaemon();
      throw new VolumeError('LIBVIRT_REFUSED', 'no, and the daemon ends');
    };
    await expect(attach(world)).rejects.toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      cause: { errors: [{ message: 'no, and the daemon ends' }, { code: 'LIBVIRT_UNAVAILABLE' }] },
    });
    expect(await world.residue()).toEqual([]);
    world.libvirt.startDaemon();
    await world.driver.detach(WEB1, INFO);
    expect(world.libvirt.secretValue(USAGE)).toBeUndefined();
  });

  test("attach() to a guest that has the encrypted volume keeps that guest's secret and value", async () => {
    const world = openWithGuests();
    const first = await attach(world);
    expect(await attach(world, { encryption: { passphrase: new Secret('wrong') } })).toBe(first);
    expect(world.libvirt.secretValue(USAGE)).toBe(PASSPHRASE);
    const elsewhere = world.driver.attach(WEB1, INFO, { ...VDB, dev: 'vdc' }, OPTIONS);
    await expect(elsewhere).rejects.toMatchObject({ code: 'LIBVIRT_REFUSED' });
    expect(world.libvirt.secretValue(USAGE)).toBe(PASSPHRASE);
  });

  test('attach() of an encrypted volume leaves no secret, at whichever step it is aborted', async () => {
    const world = openFakeWorld();
    const [published] = await world.publish(1);
    const info = dataChanged(published?.connectionInfo, { encrypted: true });
    const usage = { type: 'volume', id: (info as { readonly serial: string }).serial } as const;
    world.libvirt.addDomain({ name: 'web1' });
    let aborted = 0;
    for (let uses = 0; ; uses++) {
      const outcome = await world.driver.attach(WEB1, info, VDB, { signal: world.abortAfter(uses), ...OPTIONS }).then(
        () => 'attached' as const,
        (error: unknown) => error,
      );
      if (outcome === 'attached') break;
      aborted++;
      const left = {
        secret: world.libvirt.secretValue(usage),
        residue: await world.residue(),
        disks: world.libvirt.disksOf('web1').length,
      };
      expect({ uses, isAborted: isVolumeError(outcome, 'ABORTED'), ...left }).toEqual({
        uses,
        isAborted: true,
        secret: undefined,
        residue: [],
        disks: 0,
      });
    }
    expect(aborted).toBeGreaterThan(20);
    expect(world.libvirt.secretValue(usage)).toBe(PASSPHRASE);
    await world.driver.detach(WEB1, info);
    expect({ secret: world.libvirt.secretValue(usage), residue: await world.residue() }).toEqual({
      secret: undefined,
      residue: [],
    });
  });
});

describe('detach() of an encrypted volume', () => {
  test('detach() of an encrypted volume removes the secret after the guest has released the disk', async () => {
    const world = openWithGuests();
    await attach(world);
    world.libvirt.setAnswer('web1', 'never');
    await expect(world.driver.detach(WEB1, INFO)).rejects.toMatchObject({ code: 'DETACH_UNCONFIRMED' });
    expect(world.libvirt.secretValue(USAGE)).toBe(PASSPHRASE);
    world.libvirt.setAnswer('web1', 'at once');
    expect(await world.driver.detach(WEB1, INFO)).toEqual({ found: true, warnings: [] });
    expect({ secret: world.libvirt.secretValue(USAGE), residue: await world.residue() }).toEqual({
      secret: undefined,
      residue: [],
    });
  });

  test('detach() removes a secret that a crash left, also where nothing else is left', async () => {
    const world = openWithGuests();
    await world.libvirt.defineSecret(USAGE, new Secret(PASSPHRASE), AbortSignal.timeout(1_000));
    expect(await world.driver.detach(WEB1, INFO)).toEqual({ found: false, warnings: [] });
    expect(world.libvirt.secretValue(USAGE)).toBeUndefined();
    expect(await world.driver.detach(WEB1, INFO)).toEqual({ found: false, warnings: [] });
  });

  test('detach() of an encrypted volume keeps the secrets of other volumes', async () => {
    const world = openWithGuests();
    const other = { type: 'volume', id: 'volume-8' } as const;
    await world.libvirt.defineSecret(other, new Secret('theirs'), AbortSignal.timeout(1_000));
    await attach(world);
    await world.driver.detach(WEB1, INFO);
    expect(world.libvirt.secretValue(other)).toBe('theirs');
  });

  test.each([true, false])(
    'detach() of an encrypted volume from the last of two guests removes the secret: multiattach %s',
    async (multiattach) => {
      const world = openWithGuests();
      const info = { ...(INFO as object), multiattach };
      await attach(world, OPTIONS, info);
      await attach(world, { encryption: { passphrase: new Secret('wrong') } }, info, WEB2);
      world.libvirt.stop('web2');
      await world.driver.detach(WEB1, info);
      expect(world.libvirt.secretValue(USAGE)).toBe(PASSPHRASE);
      await world.driver.detach(WEB2, info);
      expect({ secret: world.libvirt.secretValue(USAGE), residue: await world.residue() }).toEqual({
        secret: undefined,
        residue: [],
      });
    },
  );
});

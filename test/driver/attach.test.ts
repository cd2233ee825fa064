import { describe, expect, test } from '@jest/globals';
import { VolumeError } from '../../src/base/volume-error.js';
import { LibvirtISERVolumeDriver } from '../../src/driver/libvirt-iser-volume-driver.js';
import { capturedRecord } from '../initiator/captured.js';
import { libvirtDiskSchema } from '../disk/libvirt-schema.js';
import { addTarget, infoFor, IQN, openRecordedWorld, type RecordedWorld, WWID } from './recorded-world.js';
import { ROOT } from '../fakes/fake-release.js';

const WEB1 = { kind: 'name', name: 'web1' } as const;
const VDB = { dev: 'vdb', bus: 'virtio' };
const INFO = infoFor(['192.0.2.10:3260']);
/** The name of the volume's disk that outlasts a reboot. */
const BY_ID = `/dev/disk/by-id/scsi-${WWID.replace('naa.', '3')}`;
const RECORD = `${ROOT}/nodes/${IQN}/192.0.2.10,3260,1/default`;

function openWithGuests(config: Readonly<Record<string, unknown>> = {}): RecordedWorld {
  const world = openRecordedWorld(config);
  addTarget(world, [{ address: '192.0.2.10', port: 3260, serves: 'tcp' }]);
  for (const name of ['web1', 'web2']) world.libvirt.addDomain({ name });
  return world;
}

/** The guest's QEMU has the device open as long as the guest has the disk. */
function opensDisks(world: RecordedWorld, guest: string): void {
  const usersOf = world.host.usersOf.bind(world.host);
  world.host.usersOf = async (path, numbers, signal) =>
    world.libvirt.disksOf(guest).some(({ sourcePath = '' }) => world.host.tree.resolve(sourcePath) === path)
      ? [{ pid: 42, name: 'qemu-system-x86' }]
      : await usersOf(path, numbers, signal);
}

describe('attach()', () => {
  test('attach() gives the volume to the guest, live and for its next start', async () => {
    const world = openWithGuests();
    const { volume, diskXml } = await world.driver.attach(WEB1, INFO, VDB);
    for (const which of ['live', 'config'] as const)
      expect(world.libvirt.disksOf('web1', which)).toMatchObject([
        { targetDev: 'vdb', sourcePath: BY_ID, serial: 'volume-7', alias: 'ua-volume-7' },
      ]);
    expect({ volume, diskXml }).toMatchObject({
      volume: { device: { path: '/dev/sda' }, warnings: [] },
      diskXml: expect.stringContaining(`<source dev="${BY_ID}"/>`) as unknown,
    });
    libvirtDiskSchema().validate(diskXml);
  });

  test('attach() that libvirt refuses is rolled back as a whole', async () => {
    const world = openWithGuests();
    world.libvirt.attachDevice = async () => {
      throw new VolumeError('LIBVIRT_REFUSED', 'no');
    };
    await expect(world.driver.attach(WEB1, INFO, VDB)).rejects.toMatchObject({ code: 'LIBVIRT_REFUSED' });
    expect(await world.residue()).toEqual([]);
  });

  test('attach() that libvirt refuses keeps a volume that was connected before', async () => {
    const world = openWithGuests();
    const { device } = await world.driver.connect(INFO);
    world.libvirt.attachDevice = async () => {
      throw new VolumeError('LIBVIRT_REFUSED', 'no');
    };
    await expect(world.driver.attach(WEB1, INFO, VDB)).rejects.toMatchObject({ code: 'LIBVIRT_REFUSED' });
    expect((await world.driver.find(INFO))?.device.path).toBe(device.path);
  });

  test('attach() that fails and cannot be rolled back reports both errors', async () => {
    const world = openWithGuests();
    world.libvirt.attachDevice = async () => {
      throw new VolumeError('LIBVIRT_REFUSED', 'no');
    };
    world.host.kernel.unflushable.add('/dev/sda');
    await expect(world.driver.attach(WEB1, INFO, VDB)).rejects.toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      cause: { errors: [{ code: 'LIBVIRT_REFUSED' }, { code: 'FLUSH_FAILED' }] },
    });
  });

  test.each<[string, unknown, unknown, string]>([
    ['an unknown guest', INFO, VDB, 'DOMAIN_NOT_FOUND'],
    ['a bad disk_info', INFO, { dev: 'vdb' }, 'DISK_INFO_INVALID'],
    ['a bad connection_info', {}, VDB, 'CONNECTION_INFO_INVALID'],
  ])('attach() to %s touches nothing', async (name, info, diskInfo, code) => {
    const world = openWithGuests();
    const domain = name === 'an unknown guest' ? ({ kind: 'name', name: 'nobody' } as const) : WEB1;
    await expect(world.driver.attach(domain, info, diskInfo)).rejects.toMatchObject({ code });
    expect({ deeds: world.deeds, residue: await world.residue() }).toEqual({ deeds: [], residue: [] });
  });

  test.each<[string, object, object, string, string]>([
    ['whose serial libvirt takes for none', { serial: 'A<B>&C' }, VDB, 'CONNECTION_INFO_INVALID', 'serial'],
    [
      'whose serial no scsi disk can have',
      { serial: 'x'.repeat(37) },
      { dev: 'sdb', bus: 'scsi' },
      'CONNECTION_INFO_INVALID',
      'serial',
    ],
    [
      'that unmaps nothing, zeroes and all',
      {},
      { ...VDB, detect_zeroes: 'unmap' },
      'DISK_INFO_INVALID',
      'detect_zeroes',
    ],
    [
      'with an I/O thread where the controller has it',
      {},
      { dev: 'sdb', bus: 'scsi', iothread: 1 },
      'DISK_INFO_INVALID',
      'iothread',
    ],
  ])('attach() of a volume %s touches nothing (W-28)', async (_what, top, diskInfo, code, key) => {
    const world = openWithGuests();
    await expect(world.driver.attach(WEB1, { ...INFO, ...top }, diskInfo)).rejects.toMatchObject({
      code,
      details: { key },
    });
    expect({ deeds: world.deeds, commands: world.host.commands }).toEqual({ deeds: [], commands: [] });
  });

  test('attach() hands the guest the tuning of disk_info (W-28)', async () => {
    const world = openWithGuests();
    await world.driver.attach(WEB1, INFO, { ...VDB, error_policy: 'report', iothread: 1, queues: 2 });
    expect(world.libvirt.disksOf('web1')).toMatchObject([
      { driver: { error_policy: 'report', iothread: '1', queues: '2' } },
    ]);
  });

  test.each([
    ['sata', 'disk'],
    ['sata', 'cdrom'],
    ['ide', 'disk'],
    ['fdc', 'disk'],
  ])('attach() on the bus %s of the type %s to a running guest fails before anything is touched', async (bus, type) => {
    const world = openWithGuests();
    await expect(world.driver.attach(WEB1, INFO, { dev: 'sdb', bus, type })).rejects.toMatchObject({
      code: 'DISK_INFO_INVALID',
      details: { key: 'bus', guest: 'web1' },
      hint: expect.stringContaining('Shut the guest down') as unknown,
    });
    expect({ commands: world.host.commands, residue: await world.residue() }).toEqual({ commands: [], residue: [] });
  });

  test('attach() on a bus that another hypervisor may hot-plug is left to libvirt', async () => {
    const world = openWithGuests({ virt_type: 'parallels' });
    await expect(world.driver.attach(WEB1, INFO, { dev: 'sdb', bus: 'sata' })).rejects.toMatchObject({
      code: 'LIBVIRT_REFUSED',
    });
    expect(await world.residue()).toEqual([]);
  });

  test.each([true, false])(
    'attach() and detach() of a scsi cdrom on a running guest keep the media of its drives: persistent %p',
    async (persistent) => {
      const world = openWithGuests();
      world.libvirt.addDomain({ name: 'web3', persistent });
      const web3 = { kind: 'name', name: 'web3' } as const;
      await world.libvirt.attachDevice(
        web3,
        '<disk type="file" device="cdrom"><target dev="sda" bus="scsi"/></disk>',
        { live: true, config: false },
        AbortSignal.timeout(1_000),
      );
      await expect(world.driver.attach(web3, INFO, { dev: 'sda', bus: 'scsi', type: 'cdrom' })).rejects.toMatchObject({
        code: 'DISK_INFO_INVALID',
        details: { key: 'dev', guest: 'web3' },
      });
      expect({
        drives: world.libvirt.disksOf('web3').map(({ sourcePath }) => sourcePath),
        residue: await world.residue(),
      }).toEqual({ drives: [undefined], residue: [] });
      await world.driver.attach(web3, INFO, { dev: 'sdb', bus: 'scsi', type: 'cdrom' });
      expect(await world.driver.detach(web3, INFO)).toEqual({ found: true, warnings: [] });
      expect(world.libvirt.disksOf('web3').map(({ targetDev }) => targetDev)).toEqual(['sda']);
    },
  );

  test.each([
    ['sata', 'disk'],
    ['sata', 'cdrom'],
  ])('attach() on the bus %s of the type %s is for the next start of a guest that is shut off', async (bus, type) => {
    const world = openWithGuests();
    world.libvirt.stop('web1');
    await world.driver.attach(WEB1, INFO, { dev: 'sdb', bus, type });
    world.libvirt.start('web1');
    expect(world.libvirt.disksOf('web1')).toMatchObject([{ device: type, bus, alias: 'ua-volume-7' }]);
    await expect(world.driver.detach(WEB1, INFO)).rejects.toMatchObject({
      code: 'LIBVIRT_REFUSED',
      message: expect.stringContaining('"web1" while it runs') as unknown,
      hint: expect.stringContaining('Shut the guest down') as unknown,
    });
    expect({
      live: world.libvirt.disksOf('web1').length,
      config: world.libvirt.disksOf('web1', 'config').length,
      removed: world.deeds.filter((deed) => /^sync|^delete|logout/.test(deed)),
    }).toEqual({ live: 1, config: 0, removed: [] });
    world.libvirt.stop('web1');
    expect(await world.driver.detach(WEB1, INFO)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('attach() to a guest that starts meanwhile rolls back a disk that cannot be hot-plugged', async () => {
    const world = openWithGuests();
    world.libvirt.stop('web1');
    const lookupDomain = world.libvirt.lookupDomain.bind(world.libvirt);
    world.libvirt.lookupDomain = async (...args) => {
      const found = await lookupDomain(...args);
      world.libvirt.start('web1');
      return found;
    };
    await expect(world.driver.attach(WEB1, INFO, { dev: 'sdb', bus: 'sata' })).rejects.toMatchObject({
      code: 'LIBVIRT_REFUSED',
    });
    expect(await world.residue()).toEqual([]);
  });

  test('attach() holds the volume: nobody removes the disk before the guest has it', async () => {
    const world = openWithGuests();
    opensDisks(world, 'web1');
    const attachDevice = world.libvirt.attachDevice.bind(world.libvirt);
    let disconnecting: Promise<unknown> = Promise.resolve();
    world.libvirt.attachDevice = async (...args) => {
      disconnecting = world.driver.disconnect(INFO).then(
        () => 'done',
        (error: unknown) => error,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
      await attachDevice(...args);
    };
    const { volume } = await world.driver.attach(WEB1, INFO, VDB);
    expect(await disconnecting).toMatchObject({ code: 'DEVICE_IN_USE' });
    expect((await world.driver.find(INFO))?.device.path).toBe(volume.device.path);
  });
});

describe('detach()', () => {
  test('detach() reverses the path: guest, flush, disk, session, record', async () => {
    const world = openWithGuests();
    await world.driver.attach(WEB1, INFO, VDB);
    const before = world.deeds.length;
    expect(await world.driver.detach(WEB1, INFO)).toEqual({ found: true, warnings: [] });
    expect(world.deeds.slice(before)).toEqual([
      'guest is asked to let go',
      'guest is asked to let go',
      'sync /dev/sda',
      'delete sda',
      'iscsiadm --logout',
      'delete record',
    ]);
    expect(await world.residue()).toEqual([]);
  });

  test('detach() of a guest that keeps its disk rejects with DETACH_UNCONFIRMED and keeps the host side', async () => {
    const world = openWithGuests();
    await world.driver.attach(WEB1, INFO, VDB);
    world.libvirt.setAnswer('web1', 'never');
    const before = await world.residue();
    await expect(world.driver.detach(WEB1, INFO)).rejects.toMatchObject({ code: 'DETACH_UNCONFIRMED' });
    expect({
      residue: await world.residue(),
      removed: world.deeds.filter((deed) => /^sync|^delete|logout/.test(deed)),
    }).toEqual({ residue: before, removed: [] });
  });

  test('detach() with force of a guest that keeps its disk keeps the host side too', async () => {
    const world = openWithGuests();
    await world.driver.attach(WEB1, INFO, VDB);
    world.libvirt.setAnswer('web1', 'never');
    await expect(world.driver.detach(WEB1, INFO, { force: true })).rejects.toMatchObject({
      code: 'DETACH_UNCONFIRMED',
    });
    expect(world.deeds.filter((deed) => /^sync|^delete|logout/.test(deed))).toEqual([]);
  });

  test('detach() of a volume that another guest uses removes it from this guest alone', async () => {
    const world = openWithGuests();
    opensDisks(world, 'web2');
    await world.driver.attach(WEB1, INFO, VDB);
    await world.driver.attach({ kind: 'name', name: 'web2' }, INFO, VDB);
    await expect(world.driver.detach(WEB1, INFO)).rejects.toMatchObject({ code: 'DEVICE_IN_USE' });
    expect([world.libvirt.disksOf('web1').length, world.libvirt.disksOf('web2').length]).toEqual([0, 1]);
    expect(world.deeds.filter((deed) => /^sync|^delete|logout/.test(deed))).toEqual([]);
  });

  test('detach() of a volume that the guest does not have still releases the host side', async () => {
    const world = openWithGuests();
    await world.driver.connect(INFO);
    expect(await world.driver.detach(WEB1, INFO)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });

  test('detach() of an unknown guest touches nothing', async () => {
    const world = openWithGuests();
    await world.driver.connect(INFO);
    const before = world.deeds.length;
    await expect(world.driver.detach({ kind: 'name', name: 'nobody' }, INFO)).rejects.toMatchObject({
      code: 'DOMAIN_NOT_FOUND',
    });
    expect(world.deeds.slice(before)).toEqual([]);
  });
});

describe('disconnect()', () => {
  test('disconnect() that cannot flush removes nothing', async () => {
    const world = openWithGuests();
    await world.driver.connect(INFO);
    world.host.kernel.unflushable.add('/dev/sda');
    const before = await world.residue();
    await expect(world.driver.disconnect(INFO)).rejects.toMatchObject({ code: 'FLUSH_FAILED' });
    expect(await world.residue()).toEqual(before);
  });

  test('disconnect() with force that cannot flush removes all and reports it', async () => {
    const world = openWithGuests();
    await world.driver.connect(INFO);
    world.host.kernel.unflushable.add('/dev/sda');
    await expect(world.driver.disconnect(INFO, { force: true })).rejects.toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      cause: { errors: [{ code: 'FLUSH_FAILED' }] },
    });
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() with force keeps a disk that a process has open', async () => {
    const world = openWithGuests();
    const { device } = await world.driver.connect(INFO);
    world.host.open(device.path, { pid: 0, name: 'the kernel (a mount)' });
    await expect(world.driver.disconnect(INFO, { force: true })).rejects.toMatchObject({
      code: 'DEVICE_IN_USE',
      message: expect.stringContaining('the kernel (a mount) has it open') as unknown,
    });
  });

  test.each([
    ['automatic', 1, []],
    ['manual', 0, ['iscsiadm --logout']],
  ] as const)(
    "disconnect() keeps an administrator's record, and its session when the record says %s",
    async (startup, sessions, logout) => {
      const world = openWithGuests();
      const text = capturedRecord('nodes/new-style/10.99.1.1,3260,1/default', {
        target: IQN,
        address: '192.0.2.10',
      }).replace(/^node\.startup = .*$/m, `node.startup = ${startup}`);
      world.host.tree.write(RECORD, text);
      world.host.kernel.addSession({
        target: IQN,
        portal: { address: '192.0.2.10', port: 3260 },
        iface: 'default',
        transport: 'tcp',
      });
      expect(await world.driver.disconnect(INFO)).toMatchObject({ found: false });
      expect(world.host.kernel.sessions).toHaveLength(1); // nothing of the volume was on it
      await world.driver.connect(INFO);
      expect(await world.driver.disconnect(INFO)).toMatchObject({ found: true });
      expect({
        sessions: world.host.kernel.sessions.length,
        record: world.host.tree.read(RECORD),
        deeds: world.deeds,
      }).toEqual({ sessions, record: text, deeds: ['show sda', 'sync /dev/sda', 'delete sda', ...logout] });
    },
  );

  test("disconnect() restores an administrator's record as it was after connect() logged in by it", async () => {
    const world = openWithGuests();
    const text = capturedRecord('nodes/new-style/10.99.1.1,3260,1/default', { target: IQN, address: '192.0.2.10' });
    world.host.tree.write(RECORD, text);
    await world.driver.connect(INFO);
    expect(world.host.tree.read(RECORD)).toBe(text);
    await world.driver.disconnect(INFO);
    expect({ record: world.host.tree.read(RECORD), sessions: world.host.kernel.sessions }).toEqual({
      record: text,
      sessions: [],
    });
  });

  test('disconnect() of a multiattach volume that another guest uses succeeds, with a warning', async () => {
    const world = openWithGuests();
    const shared = { ...(INFO as object), multiattach: true };
    await world.driver.attach(WEB1, shared, VDB);
    const letGo = world.host.open('/dev/sda', { pid: 4711, name: 'qemu-system-x86' });
    const released = await world.driver.detach(WEB1, shared);
    expect(released).toEqual({
      found: true,
      warnings: [expect.stringMatching(/stays on this host for others: .*qemu-system-x86/)],
    });
    letGo();
    await world.driver.disconnect(shared);
    expect(await world.residue()).toEqual([]);
  });

  test.each([
    ['without an id', null, null, VDB],
    ['whose id is no alias, without a serial', 'volume.7', null, VDB],
    [
      'whose id is no alias, as a lun, which has no serial',
      'volume.7',
      'volume-7',
      { dev: 'sdb', bus: 'scsi', type: 'lun' },
    ],
  ])(
    'attach() of a volume %s is refused before anything is touched (W-28)',
    async (_what, volumeId, serial, diskInfo) => {
      const world = openWithGuests();
      const info = INFO as { readonly data: object };
      const unfindable = { ...info, serial, data: { ...info.data, volume_id: volumeId } };
      await expect(world.driver.attach(WEB1, unfindable, diskInfo)).rejects.toMatchObject({
        code: 'CONNECTION_INFO_INVALID',
        details: { key: 'data.volume_id' },
      });
      expect(world.host.commands).toEqual([]);
    },
  );

  test('detach() finds a volume whose id is no alias by its serial (W-28)', async () => {
    const world = openWithGuests();
    const info = INFO as { readonly data: object };
    const dotted = { ...info, serial: 'volume.7', data: { ...info.data, volume_id: 'volume.7' } };
    await world.driver.attach(WEB1, dotted, VDB);
    expect(await world.driver.detach(WEB1, dotted)).toEqual({ found: true, warnings: [] });
    expect({ disks: world.libvirt.disksOf('web1'), residue: await world.residue() }).toEqual({
      disks: [],
      residue: [],
    });
  });

  test('attach() of an encrypted volume is refused before anything is touched', async () => {
    const world = openWithGuests();
    const info = INFO as { readonly data: object };
    await expect(
      world.driver.attach(WEB1, { ...info, data: { ...info.data, encrypted: true } }, VDB),
    ).rejects.toMatchObject({ code: 'CONNECTION_INFO_INVALID', details: { key: 'data.encrypted' } });
    expect(world.host.commands).toEqual([]);
  });

  test.each([true, false])(
    'connect() of a LUN under which the storage put another volume: in use %s',
    async (inUse) => {
      const world = openWithGuests();
      const { device } = await world.driver.connect(INFO);
      const swapped = { wwid: `naa.6001405${'9'.repeat(25)}`, sizeBytes: 2 * 2 ** 30 };
      world.host.targets[0]?.units.set(1, swapped);
      if (inUse) {
        world.host.open('/dev/sda', { pid: 4711, name: 'qemu-system-x86' });
        await expect(world.driver.connect(INFO)).rejects.toMatchObject({
          code: 'DEVICE_MISMATCH',
          details: { before: device.wwid },
        });
        expect(world.deeds).not.toContain('delete sda');
      } else {
        expect((await world.driver.connect(INFO)).device).toMatchObject({
          wwid: swapped.wwid.replace('naa.', '3'),
          sizeBytes: swapped.sizeBytes,
        });
        expect(world.deeds.slice(-2)).toEqual(['delete sda', 'show sda']);
      }
    },
  );

  test('disconnect() keeps a session that carries another volume', async () => {
    const world = openWithGuests();
    world.host.targets[0]?.units.set(10, { wwid: `naa.6001405${'8'.repeat(25)}`, sizeBytes: 2 ** 30 });
    const other = infoFor(['192.0.2.10:3260'], { target_luns: [10], volume_id: 'volume-10' });
    await world.driver.connect(INFO);
    await world.driver.connect(other);
    await world.driver.disconnect(INFO);
    expect((await world.driver.find(other))?.paths[0].lun).toBe(10);
  });

  test('disconnect() of paths that show two volumes removes neither', async () => {
    const world = openWithGuests();
    const both = infoFor(['192.0.2.10:3260', '192.0.2.10:3260'], { target_luns: [1, 2] });
    world.host.targets[0]?.units.set(2, { wwid: `naa.6001405${'9'.repeat(25)}`, sizeBytes: 2 ** 30 });
    await world.driver.connect(INFO);
    await world.driver.connect(infoFor(['192.0.2.10:3260'], { target_luns: [2] }));
    await expect(world.driver.disconnect(both)).rejects.toMatchObject({ code: 'DEVICE_MISMATCH' });
    expect(world.deeds.filter((deed) => deed.startsWith('delete'))).toEqual([]);
  });
});

describe('LibvirtISERVolumeDriver', () => {
  test('LibvirtISERVolumeDriver overrides no step', () => {
    expect(Object.getOwnPropertyNames(LibvirtISERVolumeDriver.prototype)).toEqual(['constructor']);
  });

  test('LibvirtISERVolumeDriver warns once, with the option to set instead', async () => {
    const world = openWithGuests();
    world.host.targets.splice(0);
    addTarget(world, [{ address: '192.0.2.10', port: 3260, serves: 'iser' }]);
    const driver = new LibvirtISERVolumeDriver(world.parts);
    const { paths } = await driver.connect(INFO);
    await driver.disconnect(INFO);
    expect(paths[0].transport).toBe('iser');
    expect(world.log.warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining('write iscsi_iface = "iser"'),
    ]);
  });
});

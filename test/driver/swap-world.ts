import { expect } from '@jest/globals';
import type { SwapProgress } from '../../src/driver/volume-driver.js';
import type { GuestDisk } from '../../src/guest/guest-disk.js';
import { type FakePortal, FakeTarget } from '../fakes/fake-target.js';
import { openRecordedWorld, type RecordedWorld } from './recorded-world.js';

export const WEB1 = { kind: 'name', name: 'web1' } as const;
export const GIB = 2 ** 30;
export const TCP: FakePortal = { address: '192.0.2.10', port: 3260, serves: 'tcp' };
const VDB = { dev: 'vdb', bus: 'virtio' };

export interface Volume {
  readonly id: string;
  readonly info: Readonly<Record<string, unknown>>;
  readonly target: FakeTarget;
}

/** A volume on a target of its own. */
export function publish(
  { host }: RecordedWorld,
  id: string,
  {
    sizeBytes = GIB,
    portals = [TCP],
    wwid,
  }: { readonly sizeBytes?: number; readonly portals?: readonly FakePortal[]; readonly wwid?: string } = {},
): Volume {
  const target = new FakeTarget({ iqn: `iqn.2026-11.org.example:${id}`, portals });
  host.targets.push(target);
  target.units.set(1, { wwid: wwid ?? `naa.6001405${String(host.targets.length).repeat(25)}`, sizeBytes });
  const lists = {
    target_portals: portals.map(({ address }) => `${address}:3260`),
    target_iqns: portals.map(() => target.iqn),
    target_luns: portals.map(() => 1),
  };
  return { id, target, info: { driver_volume_type: 'iscsi', serial: id, data: { volume_id: id, ...lists } } };
}

export interface SwapWorld extends RecordedWorld {
  readonly from: Volume;
  readonly to: Volume;
  readonly swap: (
    options?: { readonly onProgress?: (progress: SwapProgress) => void },
    signal?: AbortSignal,
  ) => ReturnType<RecordedWorld['driver']['swap']>;
}

/**
 * A guest that has the volume `old`, and a volume `new` that is exported. The guest's QEMU has open what it reads and
 * what it copies to.
 */
export async function openWithGuest(
  to: Parameters<typeof publish>[2] = {},
  {
    config = {},
    persistent = true,
    diskInfo = VDB,
  }: {
    readonly config?: Readonly<Record<string, unknown>>;
    readonly persistent?: boolean;
    readonly diskInfo?: object;
  } = {},
): Promise<SwapWorld> {
  const world = openRecordedWorld(config);
  if (config['volume_use_multipath'] === true) world.host.kernel.multipathd.start();
  world.libvirt.addDomain({ name: 'web1', persistent });
  const usersOf = world.host.usersOf.bind(world.host);
  // A name of udev's may come to mean another device: QEMU has open what it meant before.
  const opened = new Map<string, string>();
  const openInGuest = (): readonly string[] => {
    const disks = world.libvirt.isRunning('web1') ? world.libvirt.disksOf('web1') : [];
    const paths = disks.flatMap(({ sourcePath, mirror }) => [sourcePath, mirror?.sourcePath]);
    for (const path of opened.keys()) if (!paths.includes(path)) opened.delete(path);
    for (const path of paths)
      if (path !== undefined && !opened.has(path)) opened.set(path, world.host.tree.resolve(path) ?? path);
    return [...opened.values()];
  };
  world.host.usersOf = async (path, numbers, signal) =>
    openInGuest().includes(path) ? [{ pid: 42, name: 'qemu-system-x86' }] : await usersOf(path, numbers, signal);
  world.libvirt.sizeOfDevice = (path) => {
    const sectors = world.host.tree.read(
      `/sys/class/block/${world.host.tree.resolve(path)?.slice('/dev/'.length) ?? ''}/size`,
    );
    return sectors === undefined ? undefined : Number(sectors.trim()) * 512;
  };
  const portals = to.portals ?? [TCP];
  const [old, fresh] = [publish(world, 'old', { portals }), publish(world, 'new', to)];
  await world.driver.attach(WEB1, old.info, diskInfo);
  openInGuest();
  return {
    ...world,
    driver: world.driver,
    from: old,
    to: fresh,
    swap: async (options = {}, signal) => await world.driver.swap(WEB1, old.info, fresh.info, { signal, ...options }),
  };
}

/** What a guest that libvirt keeps calls the two volumes. */
export const OLD_NAME = `/dev/disk/by-id/scsi-36001405${'1'.repeat(25)}`;
export const NEW_NAME = `/dev/disk/by-id/scsi-36001405${'2'.repeat(25)}`;

export const disk = ({ libvirt }: RecordedWorld, which: 'live' | 'config' = 'live'): GuestDisk | undefined =>
  libvirt.disksOf('web1', which)[0];
export const onHost = async ({ driver }: RecordedWorld, { info }: Volume): Promise<string | undefined> =>
  (await driver.find(info))?.device.path;

/** The guest is on the old volume alone, and nothing of the new one is left on the host. */
export async function requireUntouched(world: SwapWorld, before: readonly string[]): Promise<void> {
  expect(disk(world)).toMatchObject({ sourcePath: OLD_NAME, alias: 'ua-old', mirror: undefined });
  expect({ path: disk(world, 'config')?.sourcePath, alias: disk(world, 'config')?.alias }).toEqual({
    path: OLD_NAME,
    alias: 'ua-old',
  });
  expect(await world.residue()).toEqual(before);
}

import { Secret } from '../../src/base/secret.js';
import type { AttachOptions } from '../../src/driver/attach-options.js';
import type { MigratingVolume } from '../../src/driver/migrating-volume.js';
import type { ArrivedVolume } from '../../src/driver/migration-hooks.js';
import { migrationXml } from '../../src/guest/migration-xml.js';
import { FakeTarget, type FakePortal } from '../fakes/fake-target.js';
import { dataChanged, infoFor, IQN, openRecordedWorld, type RecordedWorld, WWID } from './recorded-world.js';
import { OTHER_UNIT, TCP, UNIT } from './regression-world.js';

export const WEB1 = { kind: 'name', name: 'web1' } as const;
export const PASSPHRASE = 'hush-0123456789abcdef';
export const OPTIONS: AttachOptions = { encryption: { passphrase: new Secret(PASSPHRASE) } };
export const USAGE = { type: 'volume', id: 'volume-7' } as const;
export const OURS = `3${WWID.slice(4)}`;
export const THEIRS = `3${OTHER_UNIT.wwid.slice(4)}`;

export interface MigrationWorld {
  readonly source: RecordedWorld;
  readonly destination: RecordedWorld;
}

/** What the storage service says of the volume to each host: the array numbers its units for each of them by itself. */
export const SOURCE_LUN = 1;
export const DESTINATION_LUN = 5;

export function infoAt(
  lun: number,
  {
    portals = ['192.0.2.10:3260'],
    ...data
  }: { readonly portals?: readonly string[]; readonly [key: string]: unknown } = {},
): unknown {
  return dataChanged(infoFor(portals), { target_luns: portals.map(() => lun), ...data });
}

/**
 * Two hosts with a libvirt each, and one array. What is the volume's LUN on one host is another volume's on the other.
 * web1 runs on the source.
 */
export function openTwoHosts({
  config = {},
  portals = [TCP],
  persistent = false,
}: {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly portals?: readonly FakePortal[];
  readonly persistent?: boolean;
} = {}): MigrationWorld {
  const [source, destination] = [openRecordedWorld(config), openRecordedWorld(config)];
  for (const [world, own, other] of [
    [source, SOURCE_LUN, DESTINATION_LUN],
    [destination, DESTINATION_LUN, SOURCE_LUN],
  ] as const) {
    const target = new FakeTarget({ iqn: IQN, portals });
    target.units.set(own, UNIT);
    target.units.set(other, OTHER_UNIT);
    world.host.targets.push(target);
    opensDisks(world, ['web1', 'web2']);
  }
  source.libvirt.addDomain({ name: 'web1', uuid: '6e1f8a52-3d0c-4a51-9c7e-0d5f6b7a8c90', persistent });
  return { source, destination };
}

/** A guest's QEMU has the device open as long as the guest runs with the disk. */
function opensDisks({ host, libvirt }: RecordedWorld, guests: readonly string[]): void {
  const usersOf = host.usersOf.bind(host);
  const has = (name: string, path: string): boolean =>
    libvirt.has(name) && libvirt.isRunning(name) && libvirt.disksOf(name).some(({ sourcePath }) => sourcePath === path);
  host.usersOf = async (path, numbers, signal) =>
    guests.some((name) => has(name, path))
      ? [{ pid: 42, name: 'qemu-system-x86' }]
      : await usersOf(path, numbers, signal);
}

export interface Prepared {
  readonly volume: MigratingVolume;
  readonly arrived: ArrivedVolume;
}

/** The two calls before the migration. What goes from host to host goes as JSON. */
export async function prepare(
  { source, destination }: MigrationWorld,
  infos: readonly [unknown, unknown] = [infoAt(SOURCE_LUN), infoAt(DESTINATION_LUN)],
  options: AttachOptions = {},
): Promise<Prepared> {
  const volume = asJson(await source.driver.prepareMigration(WEB1, infos[0]));
  const arrived = await destination.driver.connectForMigration(infos[1], volume, options);
  return { volume, arrived };
}

/** What the compute service has libvirt do. */
export async function migrate({ source, destination }: MigrationWorld, { arrived }: Prepared): Promise<void> {
  await source.libvirt.migrate(
    'web1',
    destination.libvirt,
    migrationXml(source.libvirt.migratableXml('web1'), [asJson(arrived.disk)]),
  );
}

export function asJson<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}

/** What a host has been relieved of since it came up. */
export function removalsOn({ deeds }: RecordedWorld): readonly string[] {
  return deeds.filter((deed) => /^sync|^delete|^remove|logout|guest is asked/.test(deed));
}

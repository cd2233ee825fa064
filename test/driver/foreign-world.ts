import { FakeTarget } from '../fakes/fake-target.js';
import { ADDRESSES, openMultipathWorld, portalsOf, type MultipathWorld } from './multipath-world.js';
import { WWID } from './recorded-world.js';

/** Another storage host: nobody told it that its volume's WWID is taken. */
export const FOREIGN_IQN = 'iqn.2026-11.org.example:clone';
export const FOREIGN_PORTALS = ADDRESSES.slice(0, 2).map((address) => address.replace('192.0.2.', '198.51.100.'));
export const GIB = 2 ** 30;

/** What the storage service says of a volume of that target. */
export function foreignInfo(
  portals: readonly string[] = FOREIGN_PORTALS,
  volumeId = 'volume-9',
  iqn = FOREIGN_IQN,
): Readonly<Record<string, unknown>> {
  const several = {
    target_portals: portals.map((address) => `${address}:3260`),
    target_iqns: portals.map(() => iqn),
    target_luns: portals.map(() => 1),
  };
  return { driver_volume_type: 'iscsi', serial: volumeId, data: { volume_id: volumeId, ...several } };
}

export interface ForeignWorld extends MultipathWorld {
  readonly clone: FakeTarget;
}

/** A host with two targets at hand whose LUN 1 has the same WWID. */
export function openForeignWorld(config: Readonly<Record<string, unknown>> = {}): ForeignWorld {
  const world = openMultipathWorld(config);
  const clone = new FakeTarget({ iqn: FOREIGN_IQN, portals: portalsOf('tcp', FOREIGN_PORTALS) });
  clone.units.set(1, { wwid: WWID, sizeBytes: GIB });
  world.host.targets.push(clone);
  return { ...world, clone };
}

/** A session of another hand on this host, with the disk of its LUN. @returns the disk's kernel name */
export function foreignSession({ host }: ForeignWorld, address = FOREIGN_PORTALS[0] ?? ''): string {
  const session = host.kernel.addSession({
    target: FOREIGN_IQN,
    portal: { address, port: 3260 },
    iface: 'default',
    transport: 'tcp',
  });
  host.kernel.write(`/sys/class/scsi_host/host${session.id}/scan`, '0 0 1');
  return (
    host.tree.list(
      `/sys/devices/platform/host${session.id}/session${session.id}/target${session.id}:0:0/${session.id}:0:0:1/block`,
    )[0] ?? ''
  );
}

/** The kernel names of what is below a map. */
export function slavesOf({ host }: ForeignWorld, dm = 'dm-0'): readonly string[] {
  return host.tree.list(`/sys/class/block/${dm}/slaves`);
}

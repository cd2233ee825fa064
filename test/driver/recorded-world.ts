import type { LogFields, Logger } from '../../src/base/logger.js';
import { LinuxBlockDevices } from '../../src/device/linux-block-devices.js';
import { MultipathMaps } from '../../src/device/multipath/multipath-maps.js';
import { LibvirtISCSIVolumeDriver } from '../../src/driver/libvirt-iscsi-volume-driver.js';
import type { DriverParts } from '../../src/driver/libvirt-volume-driver.js';
import type { VolumeEvent } from '../../src/events/volume-event.js';
import type { Command } from '../../src/host/command.js';
import type { NetAddress } from '../../src/host/net-addresses.js';
import { discoverPortals } from '../../src/initiator/discovery/discover-portals.js';
import { OpenIscsiInitiator } from '../../src/initiator/open-iscsi-initiator.js';
import { GuestDisks } from '../../src/guest/guest-disks.js';
import { TOKENS } from '../../src/tokens.js';
import { FakeTarget, type FakePortal } from '../fakes/fake-target.js';
import { type FakeWorld, openFakeWorld } from '../fakes/fake-world.js';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn';
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that is kept. */
export class RecordedLog implements Logger {
  readonly lines: LogLine[] = [];

  debug(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'debug', message, fields });
  }

  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'info', message, fields });
  }

  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'warn', message, fields });
  }

  get warnings(): readonly LogLine[] {
    return this.lines.filter(({ level }) => level === 'warn');
  }
}

export interface RecordedWorld extends FakeWorld {
  readonly driver: LibvirtISCSIVolumeDriver;
  readonly log: RecordedLog;
  readonly parts: DriverParts;
  /** Every event, in order. */
  readonly told: readonly VolumeEvent[];
  /** What the guest, the kernel, iscsiadm and the database saw, in order. */
  readonly deeds: string[];
}

/**
 * A made-up host whose log and whose deeds, across guest, kernel and open-iscsi, are kept in one order.
 * @param addresses the host's, where they matter
 * @param on a world whose host this one shares: the same host, another configuration
 */
export function openRecordedWorld(
  config: Readonly<Record<string, unknown>> = {},
  on?: FakeWorld,
  addresses?: readonly NetAddress[],
): RecordedWorld {
  const world = openFakeWorld(config, 'iscsi', on);
  const { clock, host } = world;
  const { deeds } = host.kernel;
  const log = new RecordedLog();
  const options = world.container.get(TOKENS.options);
  const events = world.container.get(TOKENS.events);
  const database = world.container.get(TOKENS.database);
  const told: VolumeEvent[] = [];
  events.subscribe((event) => {
    told.push(event);
  });
  const commands = after(host, 'run', (command: Command) => {
    if (command.program === 'iscsiadm') deeds.push(`iscsiadm ${command.args.map(String).at(-1) ?? ''}`);
  });
  const files = after(host, 'remove', (path: string) => {
    if (path.includes('/nodes/')) deeds.push('delete record');
  });
  const libvirt = after(world.libvirt, 'detachDevice', () => {
    deeds.push('guest is asked to let go');
  });
  const { deviceTimeoutMs, loginAttempts, loginTimeoutMs, multipathReplacementTimeoutSeconds, stateDirectory } =
    options;
  const parts: DriverParts = {
    options,
    libvirt,
    files,
    processes: world.container.get(TOKENS.processes),
    database,
    clock,
    events,
    netAddresses: addresses === undefined ? world.container.get(TOKENS.netAddresses) : { list: () => addresses },
    hostNames: world.container.get(TOKENS.hostNames),
    ifaceRecords: world.container.get(TOKENS.ifaceRecords),
    logger: log,
    locks: world.container.get(TOKENS.locks),
    initiator: new OpenIscsiInitiator({
      stateDirectory,
      commands,
      files,
      database,
      clock,
      logger: log,
      events,
      loginTimeoutMs,
      loginAttempts,
      multipathReplacementTimeoutSeconds,
    }),
    devices: new LinuxBlockDevices({ files, clock, users: host, logger: log, deviceTimeoutMs }),
    maps: new MultipathMaps({ commands, files, clock, users: host, logger: log, deviceTimeoutMs, stateDirectory }),
    discover: async (search, signal) =>
      await discoverPortals(
        {
          commands,
          files,
          database,
          clock,
          hostNames: world.container.get(TOKENS.hostNames),
          logger: log,
          loginTimeoutMs,
        },
        search,
        signal,
      ),
    guestDisks: new GuestDisks({ libvirt, clock, logger: log, timeoutMs: deviceTimeoutMs }),
  };
  const driver = new LibvirtISCSIVolumeDriver(parts);
  return { ...world, driver, log, parts, deeds, told };
}

/** The same port, with a note taken of each call of one method before it is done. */
function after<Port extends object>(port: Port, method: keyof Port, note: (first: never) => void): Port {
  return new Proxy(port, {
    get: (target, key) => {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== 'function') return member;
      return (...args: readonly unknown[]): unknown => {
        if (key === method) note(args[0] as never);
        return Reflect.apply(member, target, args) as unknown;
      };
    },
  });
}

export const IQN = 'iqn.2026-11.org.example:several';
export const WWID = `naa.6001405${'7'.repeat(25)}`;

/** A target with one volume at LUN 1. */
export function addTarget(
  { host }: FakeWorld,
  portals: readonly FakePortal[],
  chap?: { readonly username: string; readonly password: string },
): FakeTarget {
  const target = new FakeTarget({ iqn: IQN, portals, ...(chap === undefined ? {} : { chap }) });
  target.units.set(1, { wwid: WWID, sizeBytes: 2 ** 30 });
  host.targets.push(target);
  return target;
}

/** What the storage service would say of that volume. */
export function infoFor(
  portals: readonly string[],
  data: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const lists = { target_portals: portals, target_iqns: portals.map(() => IQN), target_luns: portals.map(() => 1) };
  return { driver_volume_type: 'iscsi', serial: 'volume-7', data: { volume_id: 'volume-7', ...lists, ...data } };
}

export function dataChanged(info: unknown, data: Readonly<Record<string, unknown>>): unknown {
  const given = info as { readonly data: object };
  return { ...given, data: { ...given.data, ...data } };
}

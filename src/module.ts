import 'reflect-metadata';
import { ContainerModule } from 'inversify';
import { loadOptions } from './config/load-options.js';
import type { VolumeOptions } from './config/options.js';
import { readOptions } from './config/read-options.js';
import { formatPortal } from './connection/portal.js';
import { LinuxBlockDevices } from './device/linux-block-devices.js';
import { MultipathMaps } from './device/multipath/multipath-maps.js';
import type { Doctor } from './doctor/doctor.js';
import { HostDoctor } from './doctor/host-doctor.js';
import type { FailedTransport } from './doctor/host-state.js';
import { driverFor } from './driver/driver-for.js';
import { TransportFailureCache } from './preflight/transport-failure-cache.js';
import { ConnectorPropertiesReader } from './connector/connector-properties-reader.js';
import { LibvirtISCSIVolumeDriver } from './driver/libvirt-iscsi-volume-driver.js';
import { LibvirtISERVolumeDriver } from './driver/libvirt-iser-volume-driver.js';
import { type DriverParts, LibvirtVolumeDriver } from './driver/libvirt-volume-driver.js';
import type { VolumeDriver } from './driver/volume-driver.js';
import type { Logger } from './base/logger.js';
import { EventHub } from './events/event-hub.js';
import { VolumeCounters } from './events/volume-counters.js';
import type { VolumeEvents } from './events/volume-events.js';
import type { Clock } from './host/clock.js';
import type { CommandRunner } from './host/command.js';
import type { DeviceUsers } from './host/device-users.js';
import type { FileSystem } from './host/file-system.js';
import type { HostNames } from './host/host-names.js';
import type { NetAddresses } from './host/net-addresses.js';
import type { Locks } from './host/locks.js';
import type { Processes } from './host/processes.js';
import { ExecaCommandRunner } from './host/node/execa-command-runner.js';
import { MultipathdCommands } from './host/node/multipathd-commands.js';
import { FlockLocks } from './host/node/flock-locks.js';
import { NodeFileSystem } from './host/node/node-file-system.js';
import { RootHelperFileSystem } from './host/node/root-helper-file-system.js';
import { SYSTEM_HOST_IDENTITY } from './host/node/system-host-identity.js';
import { SYSTEM_HOST_NAMES } from './host/node/system-host-names.js';
import { SYSTEM_NET_ADDRESSES } from './host/node/system-net-addresses.js';
import { SYSTEM_PROCESSES } from './host/node/system-processes.js';
import { SYSTEM_CLOCK } from './host/node/system-clock.js';
import { winstonLogger } from './host/node/winston-logger.js';
import { IfaceRecords } from './iface/iface-records.js';
import { OpenIscsiDatabase } from './database/open-iscsi-database.js';
import { HostIfaceReports } from './preflight/host-iface-reports.js';
import { discoverPortals } from './initiator/discovery/discover-portals.js';
import { ChapByArgument } from './initiator/records/chap-by-argument.js';
import { IfaceGenerator } from './initiator/iface-generator.js';
import { locateDatabase } from './initiator/locate-database.js';
import { OpenIscsiInitiator } from './initiator/open-iscsi-initiator.js';
import { GuestDisks } from './guest/guest-disks.js';
import type { Libvirt } from './libvirt/libvirt.js';
import { adapterFor } from './libvirt/libvirt-uri.js';
import { RpcLibvirt } from './libvirt/rpc/rpc-libvirt.js';
import { VirshLibvirt } from './libvirt/virsh/virsh-libvirt.js';
import { openHostRecovery } from './recovery/open-host-recovery.js';
import { TOKENS } from './tokens.js';

/**
 * Where the configuration comes from: a file, the `[libvirt]` table as an object, or options that were read already.
 */
export type ConfigurationSource =
  { readonly configFile?: string } | { readonly config: unknown } | { readonly options: VolumeOptions };

/**
 * An operation waits this long for another one on the same target: the longest login, device wait and undo together.
 */
const LOCK_WAIT_MS = 300_000;

/**
 * Everything a compute service needs to attach volumes, for its InversifyJS container:
 * `container.load(volumeDriverModule({ configFile }))`, then `container.get(TOKENS.driverFor)('iscsi')`. Each port can
 * be bound anew before the first driver is asked for.
 * @throws {VolumeError} `CONFIG_INVALID`, when the container first needs the options
 */
export function volumeDriverModule(source: ConfigurationSource = {}): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(TOKENS.options)
      .toResolvedValue(() => optionsOf(source))
      .inSingletonScope();
    bind(TOKENS.logger)
      .toResolvedValue(() => winstonLogger('info'))
      .inSingletonScope();
    bind(TOKENS.counters)
      .toResolvedValue(() => new VolumeCounters())
      .inSingletonScope();
    bind(TOKENS.events).toResolvedValue(countedEvents, [TOKENS.logger, TOKENS.counters]).inSingletonScope();
    bind(TOKENS.clock).toConstantValue(SYSTEM_CLOCK);
    bind(TOKENS.commands)
      .toResolvedValue(
        (logger, { rootHelper }) =>
          new MultipathdCommands({ commands: new ExecaCommandRunner({ logger, rootHelper }), logger }),
        [TOKENS.logger, TOKENS.options],
      )
      .inSingletonScope();
    bind(TOKENS.fileSystem)
      .toResolvedValue(({ rootHelper }, commands) => hostFiles(rootHelper, commands), [TOKENS.options, TOKENS.commands])
      .inSingletonScope();
    bind(TOKENS.deviceUsers)
      .toResolvedValue(({ rootHelper }, commands) => hostFiles(rootHelper, commands), [TOKENS.options, TOKENS.commands])
      .inSingletonScope();
    bind(TOKENS.netAddresses).toConstantValue(SYSTEM_NET_ADDRESSES);
    bind(TOKENS.hostNames).toConstantValue(SYSTEM_HOST_NAMES);
    bind(TOKENS.hostIdentity).toConstantValue(SYSTEM_HOST_IDENTITY);
    bind(TOKENS.processes).toConstantValue(SYSTEM_PROCESSES);
    bind(TOKENS.locks)
      .toResolvedValue(
        ({ lockDirectory, rootHelper }, logger) =>
          new FlockLocks({ directory: lockDirectory, waitMs: LOCK_WAIT_MS, rootHelper, logger }),
        [TOKENS.options, TOKENS.logger],
      )
      .inSingletonScope();
    bind(TOKENS.libvirt)
      .toResolvedValue(({ uri }, logger) => libvirtAt(uri, logger), [TOKENS.options, TOKENS.logger])
      .inSingletonScope()
      .onDeactivation((libvirt) => libvirt.close());
    bind(TOKENS.database)
      .toResolvedValue(hostDatabase, [
        TOKENS.fileSystem,
        TOKENS.commands,
        TOKENS.clock,
        TOKENS.options,
        TOKENS.processes,
        TOKENS.locks,
        TOKENS.logger,
      ])
      .inSingletonScope();
    bind(TOKENS.ifaces)
      .toResolvedValue(
        (files, database) => new HostIfaceReports({ files, database }),
        [TOKENS.fileSystem, TOKENS.database],
      )
      .inSingletonScope();
    bind(TOKENS.ifaceRecords)
      .toResolvedValue((files, database) => new IfaceRecords({ files, database }), [TOKENS.fileSystem, TOKENS.database])
      .inSingletonScope();
    bind(TOKENS.ifaceGenerator)
      .toResolvedValue(
        (commands, files, database) => new IfaceGenerator({ commands, files, database }),
        [TOKENS.commands, TOKENS.fileSystem, TOKENS.database],
      )
      .inSingletonScope();
    bind(TOKENS.doctor)
      .toResolvedValue(hostDoctor, [
        TOKENS.fileSystem,
        TOKENS.commands,
        TOKENS.clock,
        TOKENS.netAddresses,
        TOKENS.libvirt,
        TOKENS.options,
        TOKENS.locks,
        TOKENS.logger,
        TOKENS.database,
      ])
      .inSingletonScope();
    bind(TOKENS.connectorProperties)
      .toResolvedValue(
        (files, database, netAddresses, hostIdentity, logger, options) =>
          new ConnectorPropertiesReader({ files, database, netAddresses, hostIdentity, logger, options }),
        [TOKENS.fileSystem, TOKENS.database, TOKENS.netAddresses, TOKENS.hostIdentity, TOKENS.logger, TOKENS.options],
      )
      .inSingletonScope();
    bind(TOKENS.driverParts)
      .toResolvedValue(driverParts, [
        TOKENS.options,
        TOKENS.logger,
        TOKENS.commands,
        TOKENS.fileSystem,
        TOKENS.deviceUsers,
        TOKENS.clock,
        TOKENS.netAddresses,
        TOKENS.hostNames,
        TOKENS.locks,
        TOKENS.libvirt,
        TOKENS.events,
        TOKENS.database,
        TOKENS.processes,
      ])
      .inSingletonScope();
    bind(TOKENS.recovery).toResolvedValue(openHostRecovery, [TOKENS.driverParts]).inSingletonScope();
    bind(TOKENS.iscsiDriver)
      .toResolvedValue((parts) => new LibvirtISCSIVolumeDriver(parts), [TOKENS.driverParts])
      .inSingletonScope()
      .onDeactivation(closeDriver);
    bind(TOKENS.iserDriver)
      .toResolvedValue((parts) => new LibvirtISERVolumeDriver(parts), [TOKENS.driverParts])
      .inSingletonScope()
      .onDeactivation(closeDriver);
    bind(TOKENS.driverFor).toDynamicValue(
      (context) => (volumeType) =>
        driverFor(volumeType, {
          iscsi: () => context.get(TOKENS.iscsiDriver),
          iser: () => context.get(TOKENS.iserDriver),
        }),
    );
  });
}

function hostDatabase(
  files: FileSystem,
  commands: CommandRunner,
  clock: Clock,
  { databaseRoot }: VolumeOptions,
  processes: Processes,
  locks: Locks,
  logger: Logger,
): OpenIscsiDatabase {
  return new OpenIscsiDatabase({
    files,
    clock,
    processes,
    locks,
    logger,
    locate: async (signal) => await locateDatabase({ files, commands, databaseRoot }, signal),
  });
}

function hostDoctor(
  files: FileSystem,
  commands: CommandRunner,
  clock: Clock,
  netAddresses: NetAddresses,
  libvirt: Libvirt,
  options: VolumeOptions,
  locks: Locks,
  logger: Logger,
  database: OpenIscsiDatabase,
): Doctor {
  const failed = new TransportFailureCache({ files, locks, clock, logger, options });
  const failedTransports = async (): Promise<readonly FailedTransport[]> =>
    (await failed.list()).map((failure) => ({ ...failure, portal: formatPortal(failure.portal) }));
  return new HostDoctor({ files, database, commands, clock, netAddresses, libvirt, options, failedTransports });
}

/** One that the container's owner bound in place of ours closes itself. */
async function closeDriver(driver: VolumeDriver): Promise<void> {
  if (driver instanceof LibvirtVolumeDriver) await driver.close();
}

function optionsOf(source: ConfigurationSource): VolumeOptions {
  if ('options' in source) return source.options;
  if ('config' in source) return readOptions({ libvirt: source.config }, 'the configuration object');
  return loadOptions({ configFile: source.configFile, env: process.env });
}

/** The counters listen from the first event on, whenever they are asked for. */
function countedEvents(logger: Logger, counters: VolumeCounters): VolumeEvents {
  const events = new EventHub({ logger });
  events.subscribe(counters.count);
  return events;
}

/** This process's own files, or those that `root_helper` reaches. */
function hostFiles(rootHelper: readonly string[], commands: CommandRunner): FileSystem & DeviceUsers {
  return rootHelper.length === 0 ? new NodeFileSystem() : new RootHelperFileSystem({ commands });
}

/** virsh asks libvirt as this user, without `root_helper`: libvirt has rights of its own. */
function libvirtAt(uri: string, logger: Logger): Libvirt {
  return adapterFor(uri) === 'rpc'
    ? new RpcLibvirt({ uri, logger })
    : new VirshLibvirt({ uri, logger, runner: new ExecaCommandRunner({ logger }) });
}

function driverParts(
  options: VolumeOptions,
  logger: Logger,
  commands: CommandRunner,
  files: FileSystem,
  users: DeviceUsers,
  clock: Clock,
  netAddresses: NetAddresses,
  hostNames: HostNames,
  locks: Locks,
  libvirt: Libvirt,
  events: VolumeEvents,
  database: OpenIscsiDatabase,
  processes: Processes,
): DriverParts {
  const {
    chapSecrets,
    deviceTimeoutMs,
    loginAttempts,
    loginTimeoutMs,
    multipathReplacementTimeoutSeconds,
    stateDirectory,
  } = options;
  const chapByArgument = chapSecrets === 'argv' ? new ChapByArgument({ commands, logger }) : undefined;
  return {
    initiator: new OpenIscsiInitiator({
      stateDirectory,
      commands,
      files,
      database,
      clock,
      logger,
      events,
      loginTimeoutMs,
      loginAttempts,
      multipathReplacementTimeoutSeconds,
      chapByArgument,
    }),
    devices: new LinuxBlockDevices({ files, clock, users, logger, deviceTimeoutMs }),
    maps: new MultipathMaps({ commands, files, clock, users, logger, deviceTimeoutMs, stateDirectory }),
    guestDisks: new GuestDisks({ libvirt, clock, logger, timeoutMs: deviceTimeoutMs }),
    ifaceRecords: new IfaceRecords({ files, database }),
    discover: async (search, signal) =>
      await discoverPortals({ commands, files, database, clock, hostNames, logger, loginTimeoutMs }, search, signal),
    libvirt,
    locks,
    files,
    processes,
    database,
    clock,
    netAddresses,
    hostNames,
    logger,
    events,
    options,
  };
}

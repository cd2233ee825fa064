import type { ServiceIdentifier } from 'inversify';
import type { Logger } from './base/logger.js';
import type { VolumeOptions } from './config/options.js';
import type { Doctor } from './doctor/doctor.js';
import type { DriverParts } from './driver/libvirt-volume-driver.js';
import type { ConnectorPropertiesReader } from './connector/connector-properties-reader.js';
import type { VolumeDriver } from './driver/volume-driver.js';
import type { VolumeCounters } from './events/volume-counters.js';
import type { VolumeEvents } from './events/volume-events.js';
import type { Clock } from './host/clock.js';
import type { CommandRunner } from './host/command.js';
import type { DeviceUsers } from './host/device-users.js';
import type { FileSystem } from './host/file-system.js';
import type { HostIdentity } from './host/host-identity.js';
import type { HostNames } from './host/host-names.js';
import type { NetAddresses } from './host/net-addresses.js';
import type { Locks } from './host/locks.js';
import type { Processes } from './host/processes.js';
import type { IfaceReports } from './preflight/iface-report.js';
import type { OpenIscsiDatabase } from './database/open-iscsi-database.js';
import type { IfaceRecords } from './iface/iface-records.js';
import type { IfaceGenerator } from './initiator/iface-generator.js';
import type { Libvirt } from './libvirt/libvirt.js';
import type { HostRecovery } from './recovery/host-recovery.js';

const token = <Service>(name: string): ServiceIdentifier<Service> => Symbol.for(`libvirt-volume-drivers/${name}`);

/** What the module binds. Each port can be bound anew, before the first driver is asked for. */
export const TOKENS = {
  /** The configuration, read and believed. */
  options: token<VolumeOptions>('options'),
  logger: token<Logger>('logger'),
  /** What happened to volumes, for whoever subscribes. */
  events: token<VolumeEvents>('events'),
  /** The events, counted since the process began. */
  counters: token<VolumeCounters>('counters'),
  commands: token<CommandRunner>('commands'),
  fileSystem: token<FileSystem>('file-system'),
  netAddresses: token<NetAddresses>('net-addresses'),
  hostNames: token<HostNames>('host-names'),
  /** What this host calls itself and what it is. */
  hostIdentity: token<HostIdentity>('host-identity'),
  deviceUsers: token<DeviceUsers>('device-users'),
  clock: token<Clock>('clock'),
  locks: token<Locks>('locks'),
  /** Which process this is, and which have ended. */
  processes: token<Processes>('processes'),
  /** open-iscsi's database: where it is, and its lock. One for all of a process. */
  database: token<OpenIscsiDatabase>('database'),
  libvirt: token<Libvirt>('libvirt'),
  ifaces: token<IfaceReports>('ifaces'),
  /** Iface records of this library's own making. */
  ifaceRecords: token<IfaceRecords>('iface-records'),
  /** The records that open-iscsi makes for the hardware it finds. */
  ifaceGenerator: token<IfaceGenerator>('iface-generator'),
  /** Checks this host, as `libvirt-volume doctor` does. */
  doctor: token<Doctor>('doctor'),
  /** What of this host is this library's, and the removal of what killed processes have left. */
  recovery: token<HostRecovery>('recovery'),
  /** Tells the storage service who this host is. */
  connectorProperties: token<ConnectorPropertiesReader>('connectorProperties'),
  /** What the drivers are made of, out of the ports above. */
  driverParts: token<DriverParts>('driver-parts'),
  iscsiDriver: token<VolumeDriver>('iscsi-driver'),
  iserDriver: token<VolumeDriver>('iser-driver'),
  /** `driver_volume_type` to driver. @throws {VolumeError} `DRIVER_UNKNOWN` */
  driverFor: token<(volumeType: string) => VolumeDriver>('driver-for'),
} as const;

export { volumeDriverModule, type ConfigurationSource } from './module.js';
export { TOKENS } from './tokens.js';
export type {
  AttachedVolume,
  ExtendedVolume,
  ExtendOptions,
  SwapOptions,
  SwappedVolume,
  SwapProgress,
  VolumeDriver,
} from './driver/volume-driver.js';
export type { CallOptions } from './base/call-options.js';
export type { ConnectionData, ConnectionInfo } from './connection/connection-info.js';
export type { DiskInfo } from './disk/disk-info.js';
export { type Lun, parseLun } from './connection/lun.js';
export { formatPortal, parsePortal, type Portal } from './connection/portal.js';
export { parseTargetName, type TargetName } from './connection/target-name.js';
export { parseWwid, type Wwid } from './device/wwid.js';
export { type IfaceName, parseIfaceName } from './iface/iface-name.js';
export type { DisconnectOptions, ReleasedVolume } from './volume/released-volume.js';
export type { AttachOptions } from './driver/attach-options.js';
export type { MigratingVolume } from './driver/migrating-volume.js';
export type { ArrivedVolume, MigrationHooks } from './driver/migration-hooks.js';
export type { ConnectedPath, ConnectedVolume, TransportChoice } from './volume/connected-volume.js';
export { LibvirtVolumeDriver, type DriverParts } from './driver/libvirt-volume-driver.js';
export { LibvirtISCSIVolumeDriver } from './driver/libvirt-iscsi-volume-driver.js';
export { LibvirtISERVolumeDriver } from './driver/libvirt-iser-volume-driver.js';
export type { ConnectorProperties } from './connector/connector-properties.js';
export {
  type ConnectorRequest,
  ConnectorPropertiesReader,
  type ConnectorPropertiesReaderParts,
} from './connector/connector-properties-reader.js';
export { driverFor } from './driver/driver-for.js';
export type { BlockDevice, MultipathMap, ScsiDisk } from './device/block-device.js';
export type { VolumeOptions } from './config/options.js';
export type { DetailsOf, ErrorDetails, InputProblem } from './base/error-details.js';
export {
  ERROR_EXIT_STATUS,
  isVolumeError,
  VolumeError,
  type VolumeErrorCode,
  type VolumeErrorOf,
} from './base/volume-error.js';
export { errorChain } from './base/error-chain.js';
export { Secret } from './base/secret.js';
export { EventHub } from './events/event-hub.js';
export { PROMETHEUS_CONTENT_TYPE, prometheusText } from './events/prometheus-text.js';
export { type Counter, type CounterName, type CounterSample, VolumeCounters } from './events/volume-counters.js';
export type { VolumeEvent } from './events/volume-event.js';
export type { VolumeEventListener, VolumeEvents } from './events/volume-events.js';
export type { LogFields, Logger } from './base/logger.js';
export type { Clock } from './host/clock.js';
export type { Argument, Command, CommandResult, CommandRunner, TimeoutPolicy } from './host/command.js';
export type { DeviceUser, DeviceUsers } from './host/device-users.js';
export type { FileKind, FileSystem } from './host/file-system.js';
export type { HostIdentity } from './host/host-identity.js';
export type { NetAddress, NetAddresses } from './host/net-addresses.js';
export type { Locks } from './host/locks.js';
export type { ProcessIdentity, Processes } from './host/processes.js';
export { type DiskReplacement, type DiskSource, migrationXml } from './guest/migration-xml.js';
export { formatDomainRef, parseDomainRef } from './libvirt/libvirt.js';
export type {
  BlockJob,
  DeviceRemoved,
  DeviceScope,
  Domain,
  DomainRef,
  Libvirt,
  ListedDomain,
  SecretUsage,
} from './libvirt/libvirt.js';
export type { DatabaseLocation, LocationProof } from './database/database-location.js';
export { type DatabaseParts, type Draft, OpenIscsiDatabase } from './database/open-iscsi-database.js';
export { TRANSPORTS, type Transport } from './hardware/transport.js';
export type {
  HostRecovery,
  HostStatus,
  PathStatus,
  ReconcileOptions,
  RecoveredItem,
  RecoveryItem,
  RemainsKind,
  VolumeStatus,
} from './recovery/host-recovery.js';
export type { Doctor } from './doctor/doctor.js';
export type { Finding, FindingCode, Severity } from './doctor/finding.js';
export type { IfaceReport, IfaceReports } from './preflight/iface-report.js';

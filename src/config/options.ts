import type { NonEmpty } from '../base/brand.js';
import type { IfaceSelector } from '../iface/select-iface.js';

export const CACHE_MODES = ['none', 'writethrough', 'writeback', 'directsync', 'unsafe'] as const;
export type CacheMode = (typeof CACHE_MODES)[number];

export const VIRT_TYPES = ['kvm', 'qemu', 'lxc', 'parallels'] as const;
export type VirtType = (typeof VIRT_TYPES)[number];

/** Everything that the config file can say, read and believed. config/libvirt-volume.toml explains each option. */
export interface VolumeOptions {
  readonly uri: string;
  readonly iscsiIface: NonEmpty<IfaceSelector>;
  readonly iscsiIfaceFallback: 'default' | 'none';
  readonly useMultipath: boolean;
  readonly enforceMultipath: boolean;
  readonly multipathReplacementTimeoutSeconds: number;
  readonly loginTimeoutMs: number;
  readonly loginAttempts: number;
  readonly deviceTimeoutMs: number;
  readonly chapSecrets: 'record-file' | 'argv';
  readonly stateDirectory: string;
  readonly lockDirectory: string;
  /** The folder of open-iscsi's database, where it cannot be found out; `undefined` to find it out. */
  readonly databaseRoot: string | undefined;
  /** A command and its arguments that run what follows as root; empty for none. */
  readonly rootHelper: readonly string[];
  readonly useDefaultAioModeForVolumes: boolean;
  /** The cache mode of block devices, where the file gives one (`disk_cachemodes = ["block=writeback"]`). */
  readonly blockCacheMode: CacheMode | undefined;
  readonly virtType: VirtType;
}

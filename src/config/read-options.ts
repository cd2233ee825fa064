import type { InputProblem } from '../base/error-details.js';
import { isNonEmpty, type NonEmpty } from '../base/brand.js';
import { canonicalAddress } from '../base/ip-address.js';
import { VolumeError } from '../base/volume-error.js';
import { DEFAULT_IFACE, parseIfaceName } from '../iface/iface-name.js';
import type { IfaceSelector } from '../iface/select-iface.js';
import { configFile, type ConfigFile } from './config-schema.js';
import { describeIssues } from './describe-issues.js';
import type { IfaceTable } from './iface-schema.js';
import { CACHE_MODES, type VolumeOptions } from './options.js';

/**
 * Reads a config file's table, `{ libvirt: { … } }` with the keys of config/libvirt-volume.toml. What it does not say
 * has its default.
 * @param origin where the table comes from, for messages: the path of the file
 * @throws {VolumeError} `CONFIG_INVALID` with every problem of the table, in words and as `details.problems`
 */
export function readOptions(table: unknown, origin: string): VolumeOptions {
  const result = configFile.safeParse(table);
  const problems = [...describeIssues(result.error?.issues ?? [], table), ...contradictionsIn(table)];
  if (!result.success || problems.length > 0) throw configInvalid(origin, problems);
  return asOptions(result.data.libvirt);
}

function configInvalid(origin: string, problems: readonly InputProblem[]): VolumeError {
  const list = problems.map(({ key, problem }) => `${key} ${problem}`).join('; ');
  return new VolumeError('CONFIG_INVALID', `Cannot use the configuration in ${origin}: ${list}`, {
    hint: 'docs/configuration.md explains every option',
    details: { origin, problems },
  });
}

function contradictionsIn(table: unknown): readonly InputProblem[] {
  const { volume_use_multipath: use, volume_enforce_multipath: enforce, iscsi_iface: iface } = section(table);
  if (use === true) return [];
  return [
    ...(enforce === true
      ? [
          {
            key: 'libvirt.volume_enforce_multipath',
            problem: 'is true without volume_use_multipath: expected both to be true, or this one false',
          },
        ]
      : []),
    ...(Array.isArray(iface) && iface.length > 1
      ? [
          {
            key: 'libvirt.iscsi_iface',
            problem:
              'lists several ifaces without volume_use_multipath: a volume over several paths needs a map, ' +
              'expected volume_use_multipath = true, or one iface',
          },
        ]
      : []),
  ];
}

function section(table: unknown): Readonly<Record<string, unknown>> {
  const libvirt = (table as { readonly libvirt?: unknown } | null | undefined)?.libvirt;
  return typeof libvirt === 'object' && libvirt !== null ? (libvirt as Readonly<Record<string, unknown>>) : {};
}

function asOptions(given: ConfigFile['libvirt']): VolumeOptions {
  return {
    uri: given.uri,
    iscsiIface: asSelectors(given.iscsi_iface),
    iscsiIfaceFallback: given.iscsi_iface_fallback,
    useMultipath: given.volume_use_multipath,
    enforceMultipath: given.volume_enforce_multipath,
    multipathReplacementTimeoutSeconds: given.multipath_replacement_timeout_seconds,
    loginTimeoutMs: given.login_timeout_seconds * 1000,
    loginAttempts: given.login_attempts,
    deviceTimeoutMs: given.device_timeout_seconds * 1000,
    chapSecrets: given.chap_secrets,
    stateDirectory: given.state_directory,
    lockDirectory: given.lock_directory,
    databaseRoot: given.database_root === 'auto' ? undefined : given.database_root.replace(/\/+$/, ''),
    rootHelper: given.root_helper,
    useDefaultAioModeForVolumes: given.use_default_aio_mode_for_volumes,
    blockCacheMode: CACHE_MODES.find((mode) => given.disk_cachemodes.includes(`block=${mode}`)),
    virtType: given.virt_type,
  };
}

function asSelectors(given: string | IfaceTable | readonly (string | IfaceTable)[]): NonEmpty<IfaceSelector> {
  const selectors = (isList(given) ? given : [given]).map(asSelector);
  return isNonEmpty(selectors) ? selectors : [{ kind: 'name', name: DEFAULT_IFACE }];
}

function isList<Item>(given: Item | readonly Item[]): given is readonly Item[] {
  return Array.isArray(given);
}

function asSelector(given: string | IfaceTable): IfaceSelector {
  if (typeof given === 'string') return { kind: 'name', name: parseIfaceName(given) };
  const { transport, hwaddress, ipaddress, net_ifacename: netIfacename } = given;
  const address = ipaddress === undefined ? undefined : canonicalAddress(ipaddress);
  if (transport !== undefined && hwaddress !== undefined) {
    return { kind: 'hardware', transport, hwaddress: hwaddress.toLowerCase(), ipaddress: address, netIfacename };
  }
  return { kind: 'address', ipaddress: address ?? '' };
}

import type { FileSystem } from '../host/file-system.js';

/**
 * Of one network device, or of `all`: what decides whether it takes replies, and for which addresses it answers ARP
 * (Documentation/networking/ip-sysctl.rst).
 */
export interface ReversePathSettings {
  readonly rpFilter: number;
  readonly arpIgnore: number;
  readonly arpFilter: number;
}

/** The settings as they were read: a device's own, and those of `all`, which count as well. */
export interface ReversePath {
  readonly all: ReversePathSettings;
  readonly devices: ReadonlyMap<string, ReversePathSettings>;
}

const FOLDER = '/proc/sys/net/ipv4/conf';
/**
 * net/core/dev.c, dev_valid_name; net/ipv4/devinet.c, devinet_sysctl_register, which gives `all` and `default` to no
 * device.
 */
const DEVICE_NAME = /^(?!\.{1,2}$|all$|default$)[^/:\s]{1,15}$/;

/**
 * What is set for these network devices. One that is gone, or whose name no device can have, is not in the result.
 * @returns `undefined` where the kernel does not tell: without IPv4, or without /proc
 */
export async function readReversePath(files: FileSystem, names: readonly string[]): Promise<ReversePath | undefined> {
  const valid = [...new Set(names)].filter((name) => DEVICE_NAME.test(name));
  const [all, ...settings] = await Promise.all(['all', ...valid].map(async (name) => await readSettings(files, name)));
  if (all === undefined) return undefined;
  return {
    all,
    devices: new Map(
      valid.flatMap((name, index) => {
        const found = settings[index];
        return found === undefined ? [] : [[name, found] as const];
      }),
    ),
  };
}

async function readSettings(files: FileSystem, name: string): Promise<ReversePathSettings | undefined> {
  const [rpFilter, arpIgnore, arpFilter] = await Promise.all(
    ['rp_filter', 'arp_ignore', 'arp_filter'].map(async (key) => await readNumber(files, `${FOLDER}/${name}/${key}`)),
  );
  return rpFilter === undefined || arpIgnore === undefined || arpFilter === undefined
    ? undefined
    : { rpFilter, arpIgnore, arpFilter };
}

async function readNumber(files: FileSystem, path: string): Promise<number | undefined> {
  const text = (await files.readText(path))?.trim();
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

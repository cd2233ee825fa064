import * as z from 'zod';
import { CACHE_MODES, VIRT_TYPES } from './options.js';
import { ifaceChoice } from './iface-schema.js';

const flag = (): z.ZodBoolean => z.boolean({ error: 'expected true or false' });

const upTo = (most: number): z.ZodInt => {
  const error = `expected a whole number from 1 to ${most}`;
  return z.int({ error }).min(1, { error }).max(most, { error });
};

const directory = (): z.ZodString => {
  const error = 'expected an absolute path without ".."';
  return z.string({ error }).regex(/^\/(?!.*(?:^|\/)\.\.(?:\/|$))[^\p{Cc}]*$/u, { error });
};

const choice = <const Values extends readonly [string, ...string[]]>(
  values: Values,
): z.ZodEnum<{ [Value in Values[number]]: Value }> =>
  z.enum(values, {
    error: values.length === 2 ? `expected ${values.join(' or ')}` : `expected one of ${values.join(', ')}`,
  });

const DATABASE_ROOT = 'expected auto, or an absolute path without ".."';
const LIBVIRT_URI = 'expected a libvirt URI such as qemu:///system';
const HELPER = 'expected a list of texts: a command and its arguments, such as ["sudo", "-n"]';
const CACHE_MODE = `expected block= and one of ${CACHE_MODES.join(', ')}`;

/** The section `[libvirt]`: every option, its default, and in each `error` what would be right. */
export const libvirtSection = z.strictObject(
  {
    uri: z
      .string({ error: LIBVIRT_URI })
      .regex(/^[a-z][a-z0-9+.-]*:\S*$/, { error: LIBVIRT_URI })
      .default('qemu:///system')
      .describe('The libvirt daemon of the guests.'),
    iscsi_iface: ifaceChoice
      .default('default')
      .describe('The open-iscsi iface or ifaces of the volumes: a name, a card, or a source address.'),
    iscsi_iface_fallback: choice(['default', 'none'])
      .default('default')
      .describe('The transport when the iface cannot work: software TCP (default), or none.'),
    volume_use_multipath: flag().default(false).describe('Connects every path of a volume, under a multipath map.'),
    volume_enforce_multipath: flag()
      .default(false)
      .describe('Refuses an attach without a multipath map. Needs volume_use_multipath.'),
    multipath_replacement_timeout_seconds: upTo(3600)
      .default(15)
      .describe('The longest absence of a path before its I/O goes to the others of its map.'),
    login_timeout_seconds: upTo(600).default(15).describe('The longest wait for one try of a login.'),
    login_attempts: upTo(10).default(1).describe('The tries of a login that is not answered.'),
    device_timeout_seconds: upTo(3600)
      .default(60)
      .describe('The longest wait for a block device to appear or disappear.'),
    chap_secrets: choice(['record-file', 'argv'])
      .default('record-file')
      .describe('CHAP secrets reach open-iscsi in record files, or in arguments that every user of the host can read.'),
    state_directory: directory()
      .default('/var/lib/libvirt-volume')
      .describe('The directory for state that outlives a process.'),
    lock_directory: directory()
      .default('/run/lock/libvirt-volume')
      .describe('The directory of the locks between processes, the same for each of them.'),
    database_root: z
      .string({ error: DATABASE_ROOT })
      .regex(/^(?:auto|\/(?!.*(?:^|\/)\.\.(?:\/|$))[^\p{Cc}]*[^/\p{Cc}]\/*)$/u, { error: DATABASE_ROOT })
      .default('auto')
      .describe("The folder of open-iscsi's nodes and ifaces; auto: as iscsiadm was built."),
    root_helper: z
      .array(z.string({ error: HELPER }).min(1, { error: HELPER }), { error: HELPER })
      .default([])
      .describe('The command, with its arguments, that runs other commands as root; empty for none.'),
    use_default_aio_mode_for_volumes: flag()
      .default(false)
      .describe("Leaves a disk's AIO mode to QEMU instead of asking for native."),
    disk_cachemodes: z
      .array(
        z
          .string({ error: CACHE_MODE })
          .regex(new RegExp(`^block=(?:${CACHE_MODES.join('|')})$`), { error: CACHE_MODE }),
        { error: 'expected a list such as ["block=writeback"]' },
      )
      .max(1, { error: 'expected one cache mode for block' })
      .default([])
      .describe('The cache mode of block devices, such as ["block=writeback"].'),
    virt_type: choice(VIRT_TYPES).default('kvm').describe('The hypervisor of the guests.'),
  },
  { error: 'expected a table' },
);

/** The whole config file. */
export const configFile = z.strictObject(
  { libvirt: libvirtSection.prefault({}) },
  { error: 'expected a table with the section [libvirt]' },
);

export type ConfigFile = z.output<typeof configFile>;

import { VolumeError } from '../base/volume-error.js';
import type { CommandRunner } from '../host/command.js';
import type { FileSystem } from '../host/file-system.js';
import { compareIfaceList, type IfaceDifference } from '../iface/compare-iface-list.js';
import { type IfaceEntry, parseIfaceList } from '../iface/parse-iface-list.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import { readIfaces } from '../iface/read-ifaces.js';
import { listIfacesCommand } from './iscsiadm-commands.js';

/** Longer than the 30 s that open-iscsi itself waits for its database (usr/idbm.c, idbm_lock). */
const WAIT_MS = 45_000;

export interface IfaceGeneratorParts {
  readonly commands: CommandRunner;
  readonly files: FileSystem;
  readonly database: OpenIscsiDatabase;
}

export interface GeneratedIfaces {
  /** The names of the records that were not there before. */
  readonly made: readonly string[];
  /** Where open-iscsi's list and the record files differ. */
  readonly differences: readonly IfaceDifference[];
}

/**
 * The iface records that open-iscsi makes for the HBAs that are present. It names them `transport.mac`, or
 * `transport.mac.ipv4.0` where the kernel shows the HBA's network portals (usr/iface.c,
 * iface_setup_binding_from_kern_iface; libopeniscsiusr/iface.c since 2.1.5). A record that is there for an HBA, under
 * whatever name, is left as it is. Nobody but `generate` has this side effect here.
 */
export class IfaceGenerator {
  readonly #commands: CommandRunner;
  readonly #files: FileSystem;
  readonly #database: OpenIscsiDatabase;

  constructor({ commands, files, database }: IfaceGeneratorParts) {
    this.#commands = commands;
    this.#files = files;
    this.#database = database;
  }

  /**
   * Has open-iscsi make what is missing, reads the records back, and compares them with what it lists.
   * @throws {VolumeError} `COMMAND_NOT_FOUND`, `COMMAND_TIMED_OUT`, `COMMAND_FAILED` with what iscsiadm said, or when
   * it prints what is not understood
   */
  async generate(signal: AbortSignal): Promise<GeneratedIfaces> {
    const before = await readIfaces(this.#files, this.#database);
    const listed = await this.#list(signal);
    const after = await readIfaces(this.#files, this.#database);
    const old = new Set<string>([...before.ifaces, ...before.broken].map(({ name }) => name));
    return {
      made: [...after.ifaces, ...after.broken].map(({ name }) => name).filter((name) => !old.has(name)),
      differences: compareIfaceList(listed, after),
    };
  }

  async #list(signal: AbortSignal): Promise<readonly IfaceEntry[]> {
    const { exitCode, stdout, stderr } = await this.#database.whileReading(
      signal,
      async () => await this.#commands.run(listIfacesCommand(WAIT_MS), signal),
    );
    if (exitCode !== 0)
      throw new VolumeError('COMMAND_FAILED', `Cannot list the ifaces: iscsiadm ended with exit status ${exitCode}`, {
        cause: new Error(stderr.trim()),
        details: { exitCode },
      });
    try {
      return parseIfaceList(stdout);
    } catch (cause) {
      throw new VolumeError('COMMAND_FAILED', 'Cannot list the ifaces', { cause });
    }
  }
}

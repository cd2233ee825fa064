import { errorChain } from '../../base/error-chain.js';
import type { Logger } from '../../base/logger.js';
import { quoted } from '../../base/quoted.js';
import type { Secret } from '../../base/secret.js';
import { isVolumeError, VolumeError } from '../../base/volume-error.js';
import type { Command, CommandResult, CommandRunner } from '../../host/command.js';
import {
  formatDomainRef,
  type BlockJob,
  type DeviceRemoved,
  type DeviceScope,
  type Domain,
  type DomainRef,
  type Libvirt,
  type ListedDomain,
  type SecretUsage,
} from '../libvirt.js';
import { secretXml } from '../secret-xml.js';
import { parseBlockJob, parseDomainInfo, parseDomainList, parseSecretDefined, parseSecretList } from './parse-virsh.js';
import * as commands from './virsh-commands.js';
import { virshFailure } from './virsh-failure.js';

/** A remote host may be slow to connect to. */
const DEFAULT_TIMEOUT_MS = 60_000;

/** How long cleaning up after a failed call may take, whatever the caller's signal says. */
const FORGET_MS = 5_000;

export interface VirshLibvirtParts {
  readonly uri: string;
  readonly runner: CommandRunner;
  readonly logger: Logger;
  readonly timeoutMs?: number;
}

/**
 * libvirt through virsh, one process for each call: for every URI that libvirt's client knows and that is not a socket
 * of this host.
 */
export class VirshLibvirt implements Libvirt {
  readonly #virsh: commands.Virsh;
  readonly #runner: CommandRunner;
  readonly #logger: Logger;

  constructor({ uri, runner, logger, timeoutMs = DEFAULT_TIMEOUT_MS }: VirshLibvirtParts) {
    this.#virsh = { uri, timeoutMs };
    this.#runner = runner;
    this.#logger = logger;
  }

  async lookupDomain(domain: DomainRef, signal: AbortSignal): Promise<Domain> {
    const ref = await this.#unmistakable(domain, signal);
    return parseDomainInfo(
      await this.#run(commands.domainInfo(this.#virsh, ref), `find guest ${shown(domain)}`, signal),
    );
  }

  async domainXml(domain: DomainRef, which: 'live' | 'config', signal: AbortSignal): Promise<string> {
    const ref = await this.#unmistakable(domain, signal);
    return this.#run(
      commands.dumpXml(this.#virsh, ref, which),
      `read the description of guest ${shown(domain)}`,
      signal,
    );
  }

  async attachDevice(domain: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void> {
    const ref = await this.#unmistakable(domain, signal);
    await this.#run(
      commands.attachDevice(this.#virsh, ref, deviceXml, scope),
      `attach the device to guest ${shown(domain)}`,
      signal,
    );
  }

  async detachDevice(domain: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void> {
    const ref = await this.#unmistakable(domain, signal);
    await this.#run(
      commands.detachDevice(this.#virsh, ref, deviceXml, scope),
      `detach the device from guest ${shown(domain)}`,
      signal,
    );
  }

  async blockResize(domain: DomainRef, disk: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
    const ref = await this.#unmistakable(domain, signal);
    await this.#run(
      commands.blockResize(this.#virsh, ref, disk, sizeBytes),
      `resize disk ${quoted(disk)} of guest ${shown(domain)}`,
      signal,
    );
  }

  async updateDevice(domain: DomainRef, deviceXml: string, scope: DeviceScope, signal: AbortSignal): Promise<void> {
    const ref = await this.#unmistakable(domain, signal);
    await this.#run(
      commands.updateDevice(this.#virsh, ref, deviceXml, scope),
      `change the device of guest ${shown(domain)}`,
      signal,
    );
  }

  async blockCopy(domain: DomainRef, disk: string, targetXml: string, signal: AbortSignal): Promise<void> {
    const ref = await this.#unmistakable(domain, signal);
    await this.#run(
      commands.blockCopy(this.#virsh, ref, disk, targetXml),
      `copy disk ${quoted(disk)} of guest ${shown(domain)}`,
      signal,
    );
  }

  async blockJob(domain: DomainRef, disk: string, signal: AbortSignal): Promise<BlockJob | undefined> {
    const ref = await this.#unmistakable(domain, signal);
    return parseBlockJob(
      await this.#run(
        commands.blockJob(this.#virsh, ref, disk),
        `ask how far the job on disk ${quoted(disk)} of guest ${shown(domain)} is`,
        signal,
      ),
    );
  }

  async blockJobAbort(
    domain: DomainRef,
    disk: string,
    end: { readonly pivot: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const ref = await this.#unmistakable(domain, signal);
    await this.#run(
      commands.blockJobAbort(this.#virsh, ref, disk, end),
      `${end.pivot ? 'complete' : 'end'} the job on disk ${quoted(disk)} of guest ${shown(domain)}`,
      signal,
    );
  }

  async findSecret(usage: SecretUsage, signal: AbortSignal): Promise<string | undefined> {
    return parseSecretList(
      await this.#run(commands.secretList(this.#virsh), `find the secret of ${usage.type} ${quoted(usage.id)}`, signal),
      usage,
    );
  }

  async defineSecret(usage: SecretUsage, value: Secret, signal: AbortSignal): Promise<string> {
    const known = await this.findSecret(usage, signal);
    const uuid = parseSecretDefined(
      await this.#run(
        commands.secretDefine(this.#virsh, secretXml(usage, known)),
        `define the secret of ${usage.type} ${quoted(usage.id)}`,
        signal,
      ),
    );
    try {
      await this.#run(
        commands.secretSetValue(this.#virsh, uuid, Buffer.from(value.reveal(), 'utf8').toString('base64')),
        `give secret ${uuid} its value`,
        signal,
      );
    } catch (error) {
      if (known === undefined) await this.#forget(uuid);
      throw error;
    }
    return uuid;
  }

  async undefineSecret(usage: SecretUsage, signal: AbortSignal): Promise<void> {
    const uuid = await this.findSecret(usage, signal);
    if (uuid !== undefined)
      await this.#run(commands.secretUndefine(this.#virsh, uuid), `remove secret ${uuid}`, signal);
  }

  /**
   * virsh could hear events only as a process that runs on. The listener is never called: whoever waits looks at the
   * XML too.
   */
  async onDeviceRemoved(_listener: (event: DeviceRemoved) => void, _signal: AbortSignal): Promise<() => Promise<void>> {
    return async () => undefined;
  }

  async listDomains(signal: AbortSignal): Promise<readonly ListedDomain[]> {
    return parseDomainList(await this.#run(commands.domainNames(this.#virsh), 'list the guests', signal));
  }

  async close(): Promise<void> {
    // Nothing is kept open between two calls.
  }

  /**
   * virsh takes a name of digits for a running guest's number (tools/virsh-util.c, virshLookupDomainInternal): the
   * wrong guest could be meant. Such a name is turned into its UUID first.
   */
  async #unmistakable(domain: DomainRef, signal: AbortSignal): Promise<DomainRef> {
    if (domain.kind === 'uuid' || !/^\d+$/.test(domain.name)) return domain;
    const listed = parseDomainList(
      await this.#run(commands.domainNames(this.#virsh), `find guest ${shown(domain)}`, signal),
    ).find(({ name }) => name === domain.name);
    if (listed !== undefined) return { kind: 'uuid', uuid: listed.uuid };
    throw new VolumeError('DOMAIN_NOT_FOUND', `Cannot find guest ${shown(domain)}: there is no guest of that name`, {
      hint: 'List the guests: virsh list --all',
    });
  }

  /**
   * Takes a secret back that was defined a moment ago but got no value. What fails here is logged: the first failure is
   * told.
   */
  async #forget(uuid: string): Promise<void> {
    try {
      await this.#run(
        commands.secretUndefine(this.#virsh, uuid),
        `remove secret ${uuid}`,
        AbortSignal.timeout(FORGET_MS),
      );
    } catch (error) {
      this.#logger.warn('A libvirt secret without a value was left behind', { uuid, error: errorChain(error) });
    }
  }

  /** @returns what virsh printed */
  async #run(command: Command, doing: string, signal: AbortSignal): Promise<string> {
    const result = await this.#answered(command, doing, signal);
    if (result.exitCode !== 0) throw virshFailure(doing, result);
    return result.stdout;
  }

  async #answered(command: Command, doing: string, signal: AbortSignal): Promise<CommandResult> {
    try {
      return await this.#runner.run(command, signal);
    } catch (cause) {
      if (!isVolumeError(cause, 'COMMAND_TIMED_OUT')) throw cause;
      throw new VolumeError(
        'LIBVIRT_UNAVAILABLE',
        `Cannot ${doing}: no answer within ${this.#virsh.timeoutMs / 1000} s`,
        { cause },
      );
    }
  }
}

function shown(domain: DomainRef): string {
  return quoted(formatDomainRef(domain));
}

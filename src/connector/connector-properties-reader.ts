import { canonicalAddress, isIP } from '../base/ip-address.js';
import type { Logger } from '../base/logger.js';
import { quoted } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';
import type { VolumeOptions } from '../config/options.js';
import type { OpenIscsiDatabase } from '../database/open-iscsi-database.js';
import { readRecordText, valueOf } from '../database/record-text.js';
import type { Hardware } from '../hardware/hardware.js';
import { readHardware } from '../hardware/read-hardware.js';
import type { FileSystem } from '../host/file-system.js';
import type { HostIdentity } from '../host/host-identity.js';
import type { NetAddresses } from '../host/net-addresses.js';
import type { Iface } from '../iface/iface.js';
import { readIfaces } from '../iface/read-ifaces.js';
import { GIVE_INITIATOR_NAME, INITIATOR_NAME_FILE, initiatorNameIn } from '../initiator/initiator-name-in.js';
import { planIfaces, requireIfaces } from '../preflight/iface-plan.js';
import { sourceAddresses } from '../preflight/source-addresses.js';
import type { ConnectorProperties } from './connector-properties.js';

/** What a service knows better than its host. */
export interface ConnectorRequest {
  /** nova's `my_block_storage_ip`. Absent: the source address of `iscsi_iface`, else the host's first. */
  readonly ip?: string;
  /** The service's name for this host. Absent: the host's own. */
  readonly host?: string;
}

export interface ConnectorPropertiesReaderParts {
  readonly files: FileSystem;
  readonly database: OpenIscsiDatabase;
  readonly netAddresses: NetAddresses;
  readonly hostIdentity: HostIdentity;
  readonly logger: Logger;
  readonly options: VolumeOptions;
}

/** Tells the storage service who this host is. Reads files, starts nothing. */
export class ConnectorPropertiesReader {
  readonly #parts: ConnectorPropertiesReaderParts;

  constructor(parts: ConnectorPropertiesReaderParts) {
    this.#parts = parts;
  }

  /**
   * @throws {VolumeError} `USAGE` for an `ip` or `host` that is none, or when this host has no address to tell;
   * `IFACE_NOT_FOUND`, `IFACE_UNUSABLE`, also when the ifaces of
   *   `iscsi_iface` log in by different names; `INITIATOR_UNAVAILABLE` when this host has no initiator name
   */
  async getConnectorProperties(request: ConnectorRequest = {}): Promise<ConnectorProperties> {
    const {
      hostIdentity,
      options: { useMultipath, enforceMultipath },
    } = this.#parts;
    const [given, host] = [
      request.ip === undefined ? undefined : readAddress(request.ip),
      readHost(request.host ?? hostIdentity.hostName()),
    ];
    const ifaces = await this.#ifaces();
    return {
      initiator: await this.#initiator(ifaces),
      ip: given ?? (await this.#address(ifaces)),
      host,
      multipath: useMultipath,
      enforce_multipath: enforceMultipath,
      platform: hostIdentity.machine(),
      os_type: 'linux',
      do_local_attach: false,
    };
  }

  /** The requested ones first, then the one that is fallen back to. */
  async #ifaces(): Promise<Ifaces> {
    const {
      files,
      database,
      options: { iscsiIface, iscsiIfaceFallback },
    } = this.#parts;
    const plan = await planIfaces(iscsiIface, {
      inventory: await readIfaces(files, database),
      hardware: async () => await this.#hardware(),
      fallback: iscsiIfaceFallback,
    });
    requireIfaces(plan);
    return { requested: plan.requested.map(({ iface }) => iface), fallback: plan.fallback };
  }

  /**
   * A record may have a name of its own (`iface.initiatorname`): then it is that one that the target sees (open-iscsi
   * takes iface.iname before its own: usr/initiator.c, usr/discovery.c).
   */
  async #initiator({ requested, fallback }: Ifaces): Promise<string> {
    const text = (await readRecordText(this.#parts.files, INITIATOR_NAME_FILE)) ?? '';
    const hosts = initiatorNameIn(text);
    const initiator = oneName(
      text,
      requested.map((iface) => ({
        iface: iface.name,
        initiator: valueOf(iface.values, 'iface.initiatorname') ?? hosts,
      })),
    );
    if (/[\s"'#]/.test(initiator)) {
      // what stands behind a name is a part of it for iscsid
      this.#parts.logger.warn('The initiator name is no iSCSI name: the storage is told it as iscsid logs in by it', {
        initiator,
        file: INITIATOR_NAME_FILE,
      });
    }
    if (fallback !== undefined && initiator !== hosts) {
      this.#parts.logger.warn('The storage will not let the fallback in: it logs in by another name', {
        initiator,
        fallback: fallback.name,
        fallbackInitiator: hosts,
      });
    }
    return initiator;
  }

  async #address({ requested: [first] }: Ifaces): Promise<string> {
    const ofIface = first === undefined ? [] : sourceAddresses(first, await this.#hardware());
    const address = [...ofIface, ...this.#hostsAddresses()].find(isTold);
    if (address !== undefined) return address;
    throw new VolumeError(
      'USAGE',
      'Cannot tell the storage service an address of this host: it has none but loopback and link-local ones',
      { hint: 'give ip' },
    );
  }

  /** IPv4 first: what back ends compare it with is mostly that. */
  #hostsAddresses(): readonly string[] {
    const all = this.#parts.netAddresses.list().map(({ address }) => address);
    return [...all.filter((address) => isIP(address) === 4), ...all];
  }

  async #hardware(): Promise<Hardware> {
    return await readHardware(this.#parts.files, this.#parts.netAddresses.list(), { hbaAddresses: true });
  }
}

/** The connector has room for one. */
function oneName(text: string, [first, ...others]: readonly NamedIface[]): string {
  if (first?.initiator === undefined) throw noName(text);
  const other = others.find(({ initiator }) => initiator !== first.initiator);
  if (other === undefined) return first.initiator;
  throw new VolumeError(
    'IFACE_UNUSABLE',
    `Cannot tell the storage service one initiator name: the iface ${first.iface} logs in as ${first.initiator}, ` +
      `and ${other.iface} as ${other.initiator ?? 'nobody'}`,
    {
      hint: 'give the records of iscsi_iface the same iface.initiatorname, or none',
    },
  );
}

interface NamedIface {
  readonly iface: string;
  /** Its own, else the host's. */
  readonly initiator: string | undefined;
}

interface Ifaces {
  readonly requested: readonly Iface[];
  readonly fallback: Iface | undefined;
}

/** Not a loopback, link-local or unspecified address (RFC 6890). */
function isTold(address: string): boolean {
  return isIP(address) !== 0 && !/^(?:127\.|169\.254\.|0\.0\.0\.0$|::1?$|fe[89ab][0-9a-f]:)/i.test(address);
}

function readAddress(ip: string): string {
  if (isIP(ip) === 0)
    throw new VolumeError(
      'USAGE',
      `Cannot tell the storage service the ip ${quoted(ip)}: expected an IPv4 or IPv6 address`,
    );
  return canonicalAddress(ip);
}

function readHost(host: string): string {
  if (!/^[^\p{Cc}\s]+$/u.test(host))
    throw new VolumeError(
      'USAGE',
      `Cannot tell the storage service the host ${quoted(host)}: expected a name without blanks`,
    );
  return host;
}

/** @param text of the file, empty where there is none */
function noName(text: string): VolumeError {
  return new VolumeError(
    'INITIATOR_UNAVAILABLE',
    `Cannot tell the storage service who this host is: ${INITIATOR_NAME_FILE} gives no InitiatorName`,
    {
      hint:
        text === ''
          ? GIVE_INITIATOR_NAME
          : 'libvirt-volume doctor says what is wrong with the file; iscsi-iname makes a name, if the storage does ' +
            'not know this host by one',
    },
  );
}

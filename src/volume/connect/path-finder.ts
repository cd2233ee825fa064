import type { NonEmpty } from '../../base/brand.js';
import { errorChain } from '../../base/error-chain.js';
import { isVolumeError } from '../../base/volume-error.js';
import type { IscsiConnection } from '../../connection/iscsi-connection.js';
import { type Portal, samePortal } from '../../connection/portal.js';
import type { TargetPath } from '../../connection/target-path.js';
import type { FileSystem } from '../../host/file-system.js';
import { checkReversePath } from '../../preflight/check-rp-filter.js';
import type { Hardware } from '../../hardware/hardware.js';
import type { Iface } from '../../iface/iface.js';
import { DEFAULT_IFACE } from '../../iface/iface-name.js';
import { readReversePath } from '../../hardware/read-rp-filter.js';
import type { PortalSearch } from '../../initiator/discovery/discover-portals.js';

export interface PathFinderParts {
  readonly files: FileSystem;
  /** Looks at the host's hardware as it is now. */
  readonly hardware: () => Promise<Hardware>;
  /** Asks a portal for all portals of a target. */
  readonly discover: (search: PortalSearch, signal: AbortSignal) => Promise<readonly Portal[]>;
}

export interface KnownPaths {
  readonly paths: NonEmpty<TargetPath>;
  readonly warnings: readonly string[];
}

/** What is looked at for software TCP without a binding: nothing. */
const EMPTY_HARDWARE: Hardware = {
  transports: new Set(),
  loadedModules: new Set(),
  loadableModules: new Set(),
  pci: [],
  hosts: [],
  netDevices: [],
  rdmaPorts: [],
  iscsiuioRuns: false,
};

/** What there is to connect a volume through, before any login: the host's hardware, the target's portals. */
export class PathFinder {
  readonly #parts: PathFinderParts;

  constructor(parts: PathFinderParts) {
    this.#parts = parts;
  }

  /**
   * The listed paths; and where one portal is named and all are wanted, those through the target's other portals. Only
   * portals of this very target: others of the array may be of other volumes. A portal that does not tell costs no
   * volume.
   */
  async allPaths(
    { paths, namesOnePortal, discoveryChap }: IscsiConnection,
    iface: Iface,
    signal: AbortSignal,
  ): Promise<KnownPaths> {
    if (!namesOnePortal) return { paths, warnings: [] };
    const [first] = paths;
    try {
      const portals = await this.#parts.discover(
        { portal: first.portal, target: first.target, iface: iface.name, chap: discoveryChap },
        signal,
      );
      const others = portals.filter((portal) => !paths.some((path) => samePortal(path.portal, portal)));
      return { paths: [...paths, ...others.map((portal) => ({ ...first, portal }))], warnings: [] };
    } catch (error) {
      if (!isVolumeError(error) || error.code === 'ABORTED' || signal.aborted) throw error;
      return { paths, warnings: [`the other portals of the target are not known: ${errorChain(error)}`] };
    }
  }

  /** Settings of the kernel that break the sessions of several NICs in one network. */
  async reversePathWarnings(ifaces: readonly Iface[], hardware: Hardware): Promise<readonly string[]> {
    if (ifaces.length < 2) return [];
    const settings = await readReversePath(
      this.#parts.files,
      hardware.netDevices.map(({ name }) => name),
    );
    return settings === undefined
      ? []
      : checkReversePath(ifaces, hardware, settings).map(({ reason, hint }) => `${reason}: ${hint}`);
  }

  /** The hardware decides over every iface but the default one. */
  async hardwareFor(ifaces: readonly Iface[]): Promise<Hardware> {
    return ifaces.some(({ name }) => name !== DEFAULT_IFACE) ? await this.#parts.hardware() : EMPTY_HARDWARE;
  }
}

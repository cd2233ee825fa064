import { formatPortal } from '../../connection/portal.js';
import type { ConnectedPath, ConnectedVolume } from '../../volume/connected-volume.js';

/** What `connect --json` prints: the form is fixed, docs/command-line.md shows it. */
export interface VolumeDocument {
  readonly device: string;
  readonly kind: 'disk' | 'multipath';
  /** `null` where the volume shows no identity. */
  readonly wwid: string | null;
  readonly sizeBytes: number;
  readonly paths: readonly PathDocument[];
  readonly transport: {
    readonly requested: string;
    readonly used: string;
    readonly fallback: { readonly code: string; readonly reason: string } | null;
  };
  readonly warnings: readonly string[];
}

export interface PathDocument {
  readonly disk: string;
  readonly portal: string;
  readonly target: string;
  readonly lun: number;
  readonly iface: string;
  readonly transport: string;
  readonly session: number;
}

export function volumeDocument({ device, paths, transport, warnings }: ConnectedVolume): VolumeDocument {
  return {
    device: device.path,
    kind: device.kind,
    wwid: device.wwid ?? null,
    sizeBytes: device.sizeBytes,
    paths: paths.map(pathDocument),
    transport: { requested: transport.requested, used: transport.used, fallback: transport.fallback ?? null },
    warnings,
  };
}

function pathDocument({ disk, portal, target, lun, iface, transport, session }: ConnectedPath): PathDocument {
  return { disk, portal: formatPortal(portal), target, lun, iface, transport, session };
}

/**
 * What happened to a volume, for programs: flat, in words and numbers that may go into any log, queue or metric.
 * Ifaces, targets and portals are written as open-iscsi has them (`iser`, `iqn.…`, `192.0.2.10:3260`,
 * `[2001:db8::1]:3260`). No event holds a secret.
 */
export type VolumeEvent =
  | {
      /**
       * The volume comes over another iface than was asked for. Comes before `volume-connected`, each time such a
       * volume is connected.
       */
      readonly kind: 'transport-fallback';
      readonly requested: string;
      readonly used: string;
      /**
       * A `VolumeErrorCode`, or the hardware's own (`NO_ADAPTER`): what `transport.fallback.code` of the result says.
       */
      readonly code: string;
      /** One sentence for people. */
      readonly reason: string;
      readonly target: string;
      readonly portal: string;
    }
  | {
      /** A login failed. Another portal, iface or the fallback may have worked instead. */
      readonly kind: 'login-failed';
      readonly iface: string;
      readonly target: string;
      readonly portal: string;
      /** A `VolumeErrorCode`. */
      readonly code: string;
    }
  | {
      /** The volume is on this host, whether this call brought it or it was there. */
      readonly kind: 'volume-connected';
      /** What the disk says it is; absent when it does not say. */
      readonly wwid: string | undefined;
      /** `/dev/sda`, `/dev/dm-0`. */
      readonly device: string;
      readonly requested: string;
      readonly used: string;
      /** How many paths are up. */
      readonly paths: number;
      readonly durationMs: number;
    }
  | {
      /**
       * The volume has been looked at for growth, and the host shows all of it; the two sizes are equal when it had not
       * grown.
       */
      readonly kind: 'volume-extended';
      readonly wwid: string | undefined;
      readonly device: string;
      readonly oldSizeBytes: number;
      readonly newSizeBytes: number;
      /** Whether a running guest was told of the size. */
      readonly guestResized: boolean;
      readonly durationMs: number;
    }
  | {
      /** A running guest has one volume in the place of another. */
      readonly kind: 'volume-swapped';
      /**
       * Of the volume that it had; absent also where an earlier swap had moved the guest and this one brought it to its
       * end.
       */
      readonly oldWwid: string | undefined;
      readonly wwid: string | undefined;
      readonly device: string;
      /** Whether the running guest was told of another size. */
      readonly guestResized: boolean;
      /** False: the old volume is still on this host. */
      readonly oldReleased: boolean;
      readonly durationMs: number;
    }
  | {
      /** The volume has left this host; `found` is false when it was not there. */
      readonly kind: 'volume-disconnected';
      readonly wwid: string | undefined;
      readonly found: boolean;
      readonly durationMs: number;
    };

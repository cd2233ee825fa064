/** A process that has a device open; `pid` 0 for the kernel itself. */
interface OpenedBy {
  readonly pid: number;
  readonly name: string;
}

/** One thing that is wrong with an input. */
export interface InputProblem {
  /** Such as `data.target_portals[1]`, or `libvirt.iscsi_iface[1].hwaddress`. */
  readonly key: string;
  /** What is wrong with it, and what would be right. */
  readonly problem: string;
}

interface InputDetails {
  /** The first key that cannot be used. */
  readonly key: string;
  /** All of them, where they are several. */
  readonly problems: readonly InputProblem[];
}

interface LoginDetails {
  readonly target: string;
  readonly portal: string;
  readonly iface: string;
  /** Of iscsiadm. */
  readonly exitCode: number;
}

interface TransportDetails extends LoginDetails {
  /** Why the hardware cannot: docs/transports.md lists each. */
  readonly reasonCode: string;
  /** Milliseconds until a transport that failed is tried again. */
  readonly retryInMs: number;
}

interface GuestDetails {
  readonly guest: string;
  readonly uuid: string;
  readonly targetDev: string;
  readonly alias: string;
}

interface LibvirtDetails extends GuestDetails {
  /** libvirt's own, virErrorNumber. */
  readonly libvirtCode: number;
  /** libvirt's own, virErrorDomain. */
  readonly libvirtDomain: number;
  readonly exitCode: number;
  readonly socket: string;
}

interface StuckWriteDetails {
  /** Of sysfs, or the device, whose write the kernel has not ended. */
  readonly file: string;
  readonly limitMs: number;
}

interface MapDetails {
  readonly map: string;
  readonly id: string;
  readonly wwid: string;
}

/** The facts that an error of a code has for programs, each where it is known. Sizes are bytes. */
export interface ErrorDetails {
  readonly USAGE: { readonly key: string; readonly file: string; readonly line: number; readonly column: number };
  readonly CONFIG_INVALID: {
    readonly origin: string;
    readonly problems: readonly InputProblem[];
    readonly line: number;
    readonly column: number;
  };
  readonly CONNECTION_INFO_INVALID: InputDetails & { readonly virtType: string };
  readonly DISK_INFO_INVALID: InputDetails & { readonly guest: string };
  readonly PERMISSION_DENIED: LibvirtDetails & { readonly origin: string; readonly authTypes: readonly number[] };
  readonly COMMAND_FAILED: LoginDetails & { readonly sessions: readonly string[] | readonly number[] };
  readonly COMMAND_TIMED_OUT: StuckWriteDetails;
  readonly LOCK_TIMED_OUT: {
    readonly key: string;
    /** Of the process whose call has the lock. */
    readonly pid: number;
    readonly program: string;
    /** When it took the lock: ISO 8601. */
    readonly since: string;
  };
  readonly LOCK_LOST: {
    readonly key: string;
    /** What ended the process that holds the lock for the call: `SIGKILL`. */
    readonly signal: string;
  };
  readonly DATABASE_LOCKED: { readonly pid: number; readonly path: string };
  readonly DATABASE_FAILED: LoginDetails;
  readonly IFACE_NOT_FOUND: { readonly ipaddress: string; readonly candidates: readonly string[] };
  readonly IFACE_UNUSABLE: {
    readonly ipaddress: string;
    readonly candidates: readonly string[];
    readonly sessions: readonly string[];
  };
  readonly INITIATOR_UNAVAILABLE: LoginDetails;
  readonly LOGIN_AUTH_FAILED: LoginDetails;
  readonly LOGIN_REFUSED: LoginDetails;
  readonly PORTAL_UNREACHABLE: TransportDetails;
  readonly TRANSPORT_UNAVAILABLE: TransportDetails;
  readonly TRANSPORT_MISMATCH: TransportDetails;
  readonly LOGOUT_FAILED: { readonly sessions: readonly number[]; readonly exitCode: number };
  readonly DEVICE_NOT_FOUND: GuestDetails &
    LoginDetails & { readonly lun: number; readonly device: string; readonly sizeBytes: number };
  readonly DEVICE_IN_USE: GuestDetails & { readonly device: string; readonly users: readonly OpenedBy[] };
  readonly DEVICE_MISMATCH: GuestDetails &
    MapDetails & {
      readonly device: string;
      readonly disk: string;
      readonly target: string;
      readonly lun: number;
      readonly users: readonly OpenedBy[];
      readonly strangers: readonly { readonly device: string; readonly origin: string }[];
      readonly wwids: readonly string[];
      /** What is there: a WWID, a volume id, a device or a size. */
      readonly found: string | number;
      readonly expected: string | number | readonly string[];
      readonly before: string;
      readonly now: string;
    };
  readonly RESIZE_FAILED: MapDetails & { readonly oldSizeBytes: number; readonly newSizeBytes: number };
  readonly COPY_FAILED: GuestDetails & { readonly device: string; readonly bytesLeft: number };
  readonly CLEANUP_INCOMPLETE: MapDetails & StuckWriteDetails & GuestDetails & { readonly device: string };
  readonly DOMAIN_NOT_FOUND: LibvirtDetails;
  readonly LIBVIRT_UNAVAILABLE: LibvirtDetails;
  readonly LIBVIRT_REFUSED: LibvirtDetails;
  readonly DETACH_UNCONFIRMED: GuestDetails & { readonly requests: number };
}

/** The details of an error of this code: what is known by name, and what else there may be. */
export type DetailsOf<Code> = Code extends keyof ErrorDetails
  ? { readonly [Name in keyof ErrorDetails[Code]]?: ErrorDetails[Code][Name] | undefined } & Readonly<
      Record<string, unknown>
    >
  : Readonly<Record<string, unknown>>;

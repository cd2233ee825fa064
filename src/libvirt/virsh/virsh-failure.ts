import { VolumeError, type VolumeErrorCode } from '../../base/volume-error.js';
import type { CommandResult } from '../../host/command.js';

interface Kind {
  readonly says: readonly RegExp[];
  readonly code: VolumeErrorCode;
  readonly hint: string;
}

/** virsh tells its errors in words only (LC_ALL=C makes them English). The first kind that fits decides. */
const KINDS: readonly Kind[] = [
  {
    says: [
      /failed to connect to the hypervisor[^]*permission denied/i,
      /authentication (?:failed|unavailable|cancelled)|access denied/i,
    ],
    code: 'PERMISSION_DENIED',
    hint: "Run as root, or as a member of the group that owns libvirt's socket (usually libvirt)",
  },
  {
    says: [/failed to get domain|domain not found/i],
    code: 'DOMAIN_NOT_FOUND',
    hint: 'List the guests: virsh list --all',
  },
  {
    says: [
      /failed to connect to the hypervisor|failed to connect socket|failed to reconnect/i,
      /end of file while reading data|cannot (?:recv|write) data|client socket is closed|keepalive timeout/i,
    ],
    code: 'LIBVIRT_UNAVAILABLE',
    hint:
      'Check the URI and that libvirt runs there: systemctl start libvirtd.socket (or virtqemud.socket where ' +
      'libvirt is modular)',
  },
];

/** POSIX, sh: the status of a command that was not found. */
const NOT_FOUND_EXIT = 127;

/** The error of a virsh command that failed: its own words without its `error:` marks. */
export function virshFailure(doing: string, { exitCode, stderr }: CommandResult): VolumeError {
  if (exitCode === NOT_FOUND_EXIT) {
    return new VolumeError('COMMAND_NOT_FOUND', `Cannot ${doing}: there is no virsh`, {
      hint: "Install libvirt's clients (libvirt-clients)",
    });
  }
  const words = stderr
    .split('\n')
    .map((line) => line.replace(/^error: /, '').trim())
    .filter((line) => line !== '')
    .join(': ');
  const { code, hint } = KINDS.find(({ says }) => says.some((one) => one.test(words))) ?? {
    code: 'LIBVIRT_REFUSED' as const,
    hint: undefined,
  };
  return new VolumeError(code, `Cannot ${doing}: ${words === '' ? `virsh ended with status ${exitCode}` : words}`, {
    ...(hint === undefined ? {} : { hint }),
    details: { exitCode },
  });
}

import { VolumeError } from '../../base/volume-error.js';
import { authList, authPolkit, connectOpen } from './calls.js';
import { openSocket } from './open-socket.js';
import type { Packet } from './packet.js';
import { AUTH_TYPE } from './protocol.js';
import { RpcConnection } from './rpc-connection.js';

export interface OpenConnectionParts {
  readonly uri: string;
  readonly socketPaths: readonly string[];
  readonly callTimeoutMs: number;
  readonly onEvent: (packet: Packet) => void;
}

/**
 * Connects, logs in and opens the URI.
 * @throws {VolumeError} `LIBVIRT_UNAVAILABLE`, `PERMISSION_DENIED`, `LIBVIRT_REFUSED`, `ABORTED`
 */
export async function openConnection(
  { uri, socketPaths, callTimeoutMs, onEvent }: OpenConnectionParts,
  signal: AbortSignal,
): Promise<RpcConnection> {
  const socket = await openSocket(socketPaths, signal);
  const connection = new RpcConnection({ socket, callTimeoutMs, onEvent });
  try {
    await logIn(connection, signal);
    await connection.call(connectOpen(uri), signal);
    return connection;
  } catch (error) {
    connection.destroy('it was not opened');
    throw error;
  }
}

async function logIn(connection: RpcConnection, signal: AbortSignal): Promise<void> {
  const offered = await connection.call(authList(), signal);
  if (offered.includes(AUTH_TYPE.none)) return;
  if (!offered.includes(AUTH_TYPE.polkit)) {
    throw new VolumeError('PERMISSION_DENIED', 'Cannot log in to libvirt: its socket asks for a SASL login', {
      hint:
        'Set auth_unix_rw to "polkit" or "none" in libvirt\'s configuration (/etc/libvirt/libvirtd.conf or ' +
        'virtqemud.conf)',
      details: { authTypes: offered },
    });
  }
  if (!(await connection.call(authPolkit(), signal))) {
    throw new VolumeError('PERMISSION_DENIED', 'Cannot log in to libvirt: polkit did not allow it', {
      hint: 'Run as root, or as a member of the group libvirt',
    });
  }
}

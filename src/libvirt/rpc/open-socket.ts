import { connect, type Socket } from 'node:net';
import { aborted, onAbort, throwIfAborted } from '../../base/aborted.js';
import { isVolumeError, type VolumeError } from '../../base/volume-error.js';
import { connectFailed } from './rpc-errors.js';

/**
 * Connects to the first of these sockets that somebody listens on.
 * @throws {VolumeError} `LIBVIRT_UNAVAILABLE` about the first path, `PERMISSION_DENIED`, `ABORTED`
 */
export async function openSocket(paths: readonly string[], signal: AbortSignal): Promise<Socket> {
  let first: VolumeError | undefined;
  for (const path of paths) {
    try {
      return await connectTo(path, signal);
    } catch (error) {
      if (!isVolumeError(error, 'LIBVIRT_UNAVAILABLE')) throw error;
      first ??= error;
    }
  }
  throw first ?? new RangeError('Cannot connect to libvirt: no socket was named');
}

function connectTo(path: string, signal: AbortSignal): Promise<Socket> {
  throwIfAborted(signal);
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const stop = (error: Error): void => {
      off();
      socket.destroy();
      reject(error);
    };
    const onError = (error: Error): void => {
      stop(connectFailed(path, error));
    };
    const off = onAbort(signal, () => {
      stop(aborted(signal));
    });
    socket.once('error', onError);
    socket.once('connect', () => {
      off();
      socket.off('error', onError);
      resolve(socket);
    });
  });
}

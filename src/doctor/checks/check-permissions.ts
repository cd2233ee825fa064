import { errorChain } from '../../base/error-chain.js';
import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';
import { mountOf } from '../mounts.js';
import { ifSeen } from '../seen.js';

/** Whether commands run as root, and whether disks that appear get a node in /dev. */
export function checkPermissions(state: HostState): readonly Finding[] {
  const problems = [...checkUser(state), ...checkDev(state)];
  return problems.length > 0
    ? problems
    : [
        finding(
          'PERMISSIONS_SUFFICE',
          state.options.rootHelper.length > 0
            ? `commands run as root through ${state.options.rootHelper.join(' ')}`
            : 'this process is root',
        ),
      ];
}

function checkUser({ user, options: { rootHelper } }: HostState): readonly Finding[] {
  const helper = `root_helper (${rootHelper.join(' ')})`;
  if (user.kind === 'unseen')
    return rootHelper.length === 0
      ? ifSeen(user, () => [])
      : [finding('ROOT_HELPER_FAILED', `${helper} cannot be run: ${errorChain(user.error)}`)];
  const { exitCode, uid, stderr } = user.value;
  if (rootHelper.length === 0)
    return uid === '0'
      ? []
      : [finding('NOT_ROOT', `this process runs as user ${uid}, and root_helper is not set: it needs root`)];
  if (exitCode !== 0)
    return [
      finding(
        'ROOT_HELPER_FAILED',
        `${helper} runs no command: ${stderr === '' ? `exit status ${exitCode}` : (stderr.split('\n')[0] ?? '')}`,
      ),
    ];
  return uid === '0' ? [] : [finding('ROOT_HELPER_FAILED', `${helper} runs commands as user ${uid} and not as root`)];
}

/** Device nodes are the kernel's to make, and it makes them in devtmpfs alone (drivers/base/devtmpfs.c). */
function checkDev({ mounts }: HostState): readonly Finding[] {
  return ifSeen(mounts, (list) => {
    const dev = mountOf('/dev', list);
    if (dev === undefined || dev.type === 'devtmpfs') return [];
    return [
      finding(
        'DEV_WITHOUT_DISKS',
        `/dev is on ${dev.type} and not the kernel's devtmpfs, so that a disk that appears gets no node in it: a ` +
          `container must be given the host's /dev`,
      ),
    ];
  });
}

import { shellWords } from '../../base/quoted.js';
import { finding, type Finding } from '../finding.js';
import type { DirectoryState, HostState } from '../host-state.js';
import { type Mount, mountOf } from '../mounts.js';
import { ifSeen } from '../seen.js';

/**
 * Whether the folders of the options are there or can be made, and can be written to. Nothing is written to find out.
 */
export function checkDirectories({ directories, mounts }: HostState): readonly Finding[] {
  return ifSeen(directories, (list) => {
    const problems = list.flatMap((directory) => checkDirectory(directory, mounts.kind === 'seen' ? mounts.value : []));
    return problems.length > 0
      ? problems
      : [
          finding(
            'DIRECTORIES_READY',
            list
              .map(
                ({ option, path, nearest }) =>
                  `${option} ${path} ${nearest.path === path ? 'is there' : 'can be made'}`,
              )
              .join(', '),
          ),
        ];
  });
}

function checkDirectory({ option, path, nearest }: DirectoryState, mounts: readonly Mount[]): readonly Finding[] {
  if (nearest.kind !== 'directory') {
    return [
      finding(
        'DIRECTORY_UNUSABLE',
        `${option} is ${path}, and ${nearest.path} is no directory: set ${option} to one, or put away what is there`,
      ),
    ];
  }
  const mount = mountOf(nearest.path, mounts);
  return mount?.readOnly === true
    ? [
        finding(
          'DIRECTORY_UNUSABLE',
          `${option} is ${path}, and ${mount.point} is mounted read-only`,
          `mount -o remount,rw ${shellWords(mount.point)}`,
        ),
      ]
    : [];
}

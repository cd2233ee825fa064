import { isVolumeError } from '../../base/volume-error.js';
import { finding, type Finding } from '../finding.js';
import type { HostState, OpenIscsiState } from '../host-state.js';
import { packageCommand } from '../package-command.js';
import { ifSeen } from '../seen.js';

/** Whether iscsiadm is installed, iscsid answers it, and both are of one version that can do what this library asks. */
export function checkOpenIscsi({ openIscsi }: HostState): readonly Finding[] {
  if (
    openIscsi.iscsiadmVersion.kind === 'unseen' &&
    isVolumeError(openIscsi.iscsiadmVersion.error, 'COMMAND_NOT_FOUND')
  ) {
    return [
      finding(
        'OPEN_ISCSI_MISSING',
        'iscsiadm is not installed, or not in PATH',
        packageCommand(openIscsi.osRelease, 'install'),
      ),
    ];
  }
  const problems = [...checkDaemon(openIscsi), ...checkVersions(openIscsi)];
  return problems.some(({ severity }) => severity === 'error')
    ? problems
    : [...problems, finding('OPEN_ISCSI_READY', ready(openIscsi))];
}

function checkDaemon({ listens, daemons }: OpenIscsiState): readonly Finding[] {
  const [daemon] = daemons.kind === 'seen' ? daemons.value : [];
  return [
    ...ifSeen(listens, (listening) => (listening ? [] : [notRunning(daemon?.pid)])),
    ...ifSeen(daemons, (list) => [
      ...stopped(list.filter(({ stalled }) => stalled === 'stopped').map(({ pid }) => pid)),
      ...list
        .filter((process) => process.replaced)
        .slice(0, 1)
        .map(({ pid }) =>
          finding(
            'ISCSID_REPLACED',
            `the program of the running iscsid (process ${pid}) is not there any more: an upgrade replaced it, and ` +
              'iscsid still runs the old one',
            'systemctl restart iscsid',
          ),
        ),
    ]),
  ];
}

function notRunning(pid: number | undefined): Finding {
  return pid === undefined
    ? finding(
        'ISCSID_NOT_RUNNING',
        'iscsid does not run, and systemd does not listen for it',
        'systemctl start iscsid.socket',
      )
    : finding(
        'ISCSID_NOT_RUNNING',
        `iscsid runs (process ${pid}) and does not listen here: it is in another network namespace, or has not come up`,
        'systemctl restart iscsid',
      );
}

/** A login to a stopped iscsid waits for ever (usr/iscsid_req.c, iscsid_response: the poll has no limit). */
function stopped(pids: readonly number[]): readonly Finding[] {
  return pids.length === 0
    ? []
    : [
        finding(
          'ISCSID_STOPPED',
          `iscsid is stopped (process ${pids.join(', ')}): a login would wait for ever`,
          `kill -CONT ${pids.join(' ')}`,
        ),
      ];
}

function checkVersions({ iscsiadmVersion, iscsidVersion, osRelease }: OpenIscsiState): readonly Finding[] {
  return ifSeen(iscsiadmVersion, (tool) => {
    const daemon = iscsidVersion.kind === 'seen' ? iscsidVersion.value : undefined;
    return [
      // open-iscsi issue 484, mended in 2.1.11: with node.session.scan = manual, which every record of ours has, the
      // login never returns
      ...(tool === '2.1.10'
        ? [
            finding(
              'SCAN_MANUAL_HANGS',
              'open-iscsi 2.1.10 never returns from a login with node.session.scan = manual, which every volume uses',
              packageCommand(osRelease, 'upgrade'),
            ),
          ]
        : []),
      // The two speak in C structs without a version (usr/mgmt_ipc.h): open-iscsi issues 48, 166, 222
      ...(tool !== undefined && daemon !== undefined && tool !== daemon
        ? [
            finding(
              'VERSION_MISMATCH',
              `iscsiadm is of version ${tool} and iscsid of ${daemon}: they do not understand each other`,
              packageCommand(osRelease, 'reinstall'),
            ),
          ]
        : []),
    ];
  });
}

function ready({ daemons, iscsiadmVersion }: OpenIscsiState): string {
  const version = (iscsiadmVersion.kind === 'seen' ? iscsiadmVersion.value : undefined) ?? 'of unknown version';
  const [daemon] = daemons.kind === 'seen' ? daemons.value : [];
  return (
    `open-iscsi ${version}; iscsid ` +
    (daemon === undefined ? 'is started by its socket' : `runs (process ${daemon.pid})`)
  );
}

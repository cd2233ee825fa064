import type { Command } from 'commander';
import type { PathStatus, RecoveryItem, VolumeStatus } from '../../recovery/host-recovery.js';
import type { Begin } from '../command-work.js';
import { alignedTable } from '../output/aligned-table.js';

/** `status`: the volumes of this host, each from its session to its guests, and what killed processes have left. */
export function addStatusCommand(program: Command, begin: Begin): void {
  program
    .command('status')
    .description('Lists the volumes that this library brought to this host, and what killed processes left behind.')
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume status
  libvirt-volume status --json`,
    )
    .action(() => {
      begin({
        doing: 'Looking at the volumes of this host',
        run: async ({ recovery, signal }) => {
          const { volumes, leftovers } = await recovery().status({ signal });
          return {
            document: { volumes: volumes.map(volumeDocument), leftovers },
            text: [
              ...(volumes.length === 0 ? ['No volume of this library is on this host'] : volumes.map(volumeTree)),
              ...(leftovers.length === 0 ? [] : ['', 'Left behind:', itemTable(leftovers)]),
            ].join('\n'),
            warnings: [],
          };
        },
      });
    });
}

/** Each item on a line, its reason behind it. */
export function itemTable(items: readonly RecoveryItem[]): string {
  return alignedTable(items.map(({ action, kind, name, reason }) => [`  ${action}`, kind, name, reason]));
}

function volumeDocument({ volumeId, wwid, state, paths, map, users, guests }: VolumeStatus): object {
  return {
    volumeId: volumeId ?? null,
    wwid: wwid ?? null,
    state,
    paths: paths.map(({ session, disk, ...path }) => ({ ...path, session: session ?? null, disk: disk ?? null })),
    map: map ?? null,
    users,
    guests: guests ?? null,
  };
}

function volumeTree({ volumeId, wwid, state, paths, map, users, guests }: VolumeStatus): string {
  const lines = [
    ...paths.map(pathLine),
    ...(map === undefined ? [] : [`map ${map.name} ${map.path}`]),
    ...users.map(({ name, pid }) => (pid === 0 ? `opened by ${name}` : `opened by ${name} (pid ${pid})`)),
    ...(guests === undefined ? ['guests unknown: libvirt cannot be asked'] : guests.map((name) => `guest ${name}`)),
  ];
  const head = [volumeId ?? paths[0]?.target ?? 'a volume without an id', wwid ?? 'no WWID', state].join('  ');
  return [head, ...lines.map((line, index) => `${index === lines.length - 1 ? '└─' : '├─'} ${line}`)].join('\n');
}

function pathLine({ target, lun, portal, iface, session, disk }: PathStatus): string {
  const way = session === undefined ? 'no session' : `session ${session.id} ${session.state} over ${session.transport}`;
  return `${target} LUN ${lun} at ${portal}, iface ${iface}: ${way}, ${disk ?? 'no disk'}`;
}

import { errorChain } from '../../base/error-chain.js';
import { shellWords } from '../../base/quoted.js';
import type { VolumeError } from '../../base/volume-error.js';
import { describeProof } from '../../database/database-location.js';
import type { DatabaseRecord } from '../database-records.js';
import { finding, type Finding } from '../finding.js';
import type { DatabaseLockState, DatabaseState, HostState, RecordsElsewhere } from '../host-state.js';
import { isWithoutIscsiadm } from '../read-database.js';
import { putAside, removeIfEmpty } from '../remedies.js';
import { ifSeen } from '../seen.js';

/** Whether open-iscsi's database can be written to, and holds nothing that stands in a volume's way. */
export function checkDatabase({ database, databaseLock, records }: HostState): readonly Finding[] {
  if (database.kind === 'unseen')
    return isWithoutIscsiadm(database.error) ? [] : [...ifSeen(databaseLock, checkLock), unknownRoot(database.error)];
  const { location } = database.value;
  const problems = [
    ...checkLocation(database.value),
    ...ifSeen(databaseLock, checkLock),
    ...ifSeen(records, (list) => list.flatMap(checkRecord)),
  ];
  const count = records.kind === 'seen' ? records.value.length : 0;
  return problems.length > 0
    ? problems
    : [
        finding(
          'DATABASE_SOUND',
          `open-iscsi's database in ${location.root}, ${describeProof(location.proof)}, has ${count} ` +
            `${count === 1 ? 'record' : 'records'} and is not locked`,
        ),
      ];
}

function unknownRoot(error: VolumeError): Finding {
  return finding('DATABASE_ROOT_UNKNOWN', `${errorChain(error)}; ${error.hint ?? ''}`);
}

function checkLocation({ location: { root, proof }, proven, elsewhere }: DatabaseState): readonly Finding[] {
  const differs = proven?.kind === 'seen' && proven.value.root !== root;
  return [
    ...(differs
      ? [
          finding(
            'DATABASE_ROOT_DIFFERS',
            `database_root is ${root}, and open-iscsi's database is in ${proven.value.root}, ` +
              `${describeProof(proven.value.proof)}: no login will find its record`,
          ),
        ]
      : []),
    ...(differs ? [] : elsewhere.map((other) => recordsElsewhere(other, root, describeProof(proof)))),
  ];
}

/** The records are copied, and none that is there is overwritten. */
function recordsElsewhere({ root: other, folders, count }: RecordsElsewhere, root: string, why: string): Finding {
  const copy =
    `mkdir -p ${shellWords(root)} && cp -an ` +
    shellWords(...folders.map((folder) => `${other}/${folder}`), `${root}/`);
  return finding(
    'DATABASE_RECORDS_ELSEWHERE',
    `${other} has ${count} ${count === 1 ? 'record' : 'records'} that open-iscsi never reads: its database is in ` +
      `${root}, ${why}`,
    copy,
  );
}

/**
 * The lock is a link that belongs to nobody (usr/idbm.c, idbm_lock): one whose maker was killed stays. Up to 2.1.9 the
 * next iscsiadm waits 30 s for it, from 2.1.10 on each fails.
 */
function checkLock(lock: DatabaseLockState): readonly Finding[] {
  if (lock.kind === 'free') return [];
  if (lock.owner?.hasEnded === true) {
    return [
      finding(
        'DATABASE_LOCK_LEFT',
        `open-iscsi's database is locked by process ${lock.owner.pid} of this library, which was killed: the next ` +
          'volume takes the lock over, and iscsiadm waits for it until then',
        `rm ${shellWords(lock.path)}`,
      ),
    ];
  }
  if (lock.owner !== undefined) {
    return [
      finding(
        'DATABASE_LOCK_HELD',
        `open-iscsi's database has been locked for ${lock.forMs / 1000} s by process ${lock.owner.pid} of this ` +
          'library, which runs, or is in another container',
      ),
    ];
  }
  const suspect = lock.processes.find(({ stalled }) => stalled !== undefined);
  if (suspect !== undefined) {
    const hint = suspect.stalled === 'stopped' ? `kill -CONT ${suspect.pid}` : undefined;
    return [
      finding(
        'DATABASE_LOCK_HELD',
        `open-iscsi's database is locked, as it seems by ${suspect.name} (process ${suspect.pid}), which is ` +
          (suspect.stalled ?? ''),
        hint,
      ),
    ];
  }
  const waiting = lock.processes.filter(({ name }) => name === 'iscsiadm').map(({ pid }) => pid);
  const told = waiting.length === 0 ? '' : `; iscsiadm waits for it (process ${waiting.join(', ')})`;
  return [
    finding(
      'DATABASE_LOCK_STALE',
      `open-iscsi's database is locked by nobody: ${lock.path} has been there for ${lock.forMs / 1000} s, and no ` +
        `iscsiadm or iscsid is stalled with it${told}`,
      `rm ${shellWords(lock.path)}`,
    ),
  ];
}

function checkRecord({ path, content }: DatabaseRecord): readonly Finding[] {
  const code = path.endsWith('/st_config') ? 'DISCOVERY_RECORD_BROKEN' : 'NODE_RECORD_BROKEN';
  switch (content.kind) {
    case 'empty': // what a killed iscsiadm leaves of a record that it was writing
      return [finding(code, `the record ${path} is empty`, content.blank ? putAside(path) : removeIfEmpty(path))];
    case 'broken':
      return [finding(code, `the record ${path} is broken: ${content.reason}`, putAside(path))];
    case 'node':
      return [
        ...(content.unknown === undefined
          ? []
          : [
              finding(
                'NODE_RECORD_UNKNOWN',
                `the record ${path} is of no volume that could be connected, and is left alone: ${content.unknown}`,
              ),
            ]),
        ...(content.startup === 'manual' ? [] : [automatic(content)]),
      ];
    case 'discovery':
      return [];
    default:
      return content satisfies never;
  }
}

function automatic({
  target,
  portal,
  iface,
  startup,
}: Extract<DatabaseRecord['content'], { readonly kind: 'node' }>): Finding {
  return finding(
    'NODE_RECORD_AUTOMATIC',
    `the record of ${target} at ${portal} over ${iface} has node.startup = ${startup}: it logs in by itself at ` +
      'boot, and brings its volumes back',
    `iscsiadm -m node ${shellWords('-T', target, '-p', portal, '-I', iface)} -o update -n node.startup -v manual`,
  );
}

import { describe, expect, test } from '@jest/globals';
import { SILENT } from '../../src/base/logger.js';
import { shellWords } from '../../src/base/quoted.js';
import { VolumeError } from '../../src/base/volume-error.js';
import { readOptions } from '../../src/config/read-options.js';
import type { DatabaseLocation } from '../../src/database/database-location.js';
import { ownName } from '../../src/database/file-owner.js';
import { OpenIscsiDatabase } from '../../src/database/open-iscsi-database.js';
import { HostDoctor } from '../../src/doctor/host-doctor.js';
import { ExecaCommandRunner } from '../../src/host/node/execa-command-runner.js';
import { NodeFileSystem } from '../../src/host/node/node-file-system.js';
import { SYSTEM_CLOCK } from '../../src/host/node/system-clock.js';
import { SYSTEM_NET_ADDRESSES } from '../../src/host/node/system-net-addresses.js';
import { SYSTEM_PROCESSES } from '../../src/host/node/system-processes.js';
import { locateDatabase } from '../../src/initiator/locate-database.js';
import { FakeLibvirt } from '../fakes/fake-libvirt.js';
import { FakeLocks } from '../fakes/fake-locks.js';
import { OPEN_ISCSI_2_1_11 } from '../fakes/fake-release.js';
import { knowCoreErrors } from '../host/core-errors.js';
import { captured, CAPTURED_RELEASE } from '../initiator/captured.js';
import { DoctorHost, ISCSID, says } from './doctor-host.js';

knowCoreErrors();

/** What was made wrong, how, and every problem that is found then. */
type Row = readonly [
  what: string,
  spoil: (host: DoctorHost) => void,
  problems: readonly string[],
  config?: Readonly<Record<string, unknown>>,
];

const LOCK = '/run/lock/iscsi/lock.write';
const NAME_FILE = '/etc/iscsi/initiatorname.iscsi';
const NAME_MEND =
  '[ -s /etc/iscsi/initiatorname.iscsi ] || echo "InitiatorName=$(iscsi-iname)" >> /etc/iscsi/initiatorname.iscsi ' +
  '&& systemctl restart iscsid';
const NAME_IF_NEW = '. iscsi-iname makes a name, if the storage does not know this host by one';
const missing = (program: string): VolumeError =>
  new VolumeError('COMMAND_NOT_FOUND', `Cannot run ${program}: it is not installed, or not in PATH`);
const withoutSocket = (host: DoctorHost): void => {
  host.tree.write('/proc/net/unix', captured('host/unix').replaceAll('@ISCSIADM_ABSTRACT_NAMESPACE', '@OTHER'));
};

const named = (rows: readonly Row[]): void => {
  test.each(rows.map(([what, spoil, problems, config = {}]) => [what, spoil, problems, config] as const))(
    'examine() of %s',
    async (_what, spoil, problems, config) => {
      const host = new DoctorHost();
      spoil(host);
      expect(await host.problems(config)).toEqual(problems);
    },
  );
};

test('examine() of a healthy host finds no problem, and an ok for each subject', async () => {
  const findings = await new DoctorHost().findings({ volume_use_multipath: false });
  expect(findings.map(({ severity, code }) => `${severity} ${code}`)).toEqual(
    [
      'CONFIG_READ',
      'PERMISSIONS_SUFFICE',
      'DIRECTORIES_READY',
      'OPEN_ISCSI_READY',
      'INITIATOR_NAME_SET',
      'DATABASE_SOUND',
      'IFACE_USABLE',
      'LIBVIRT_ANSWERS',
    ].map((code) => `ok ${code}`),
  );
});

test('examine() lists errors first, then warnings, then what is ok', async () => {
  const host = new DoctorHost();
  host.libvirt.stopDaemon();
  host.tree.write('/etc/iscsi/ifaces/damaged', 'nonsense\n');
  expect((await host.findings()).map(({ severity }) => severity).join(' ')).toMatch(
    /^(?:error )+(?:warning )+ok(?: ok)+$/,
  );
});

test('examine() changes nothing of the host', async () => {
  const host = new DoctorHost();
  const before = host.tree.paths();
  await host.findings({ volume_use_multipath: false });
  expect(host.tree.paths()).toEqual(before);
});

test('examine() rejects with ABORTED when the signal aborts', async () => {
  await expect(new DoctorHost().findings({}, AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' });
});

describe('the time it takes is less than a second', () => {
  const bestOf = async (examine: () => Promise<unknown>): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < 3; round++) {
      const begin = performance.now();
      await examine();
      times.push(performance.now() - begin);
    }
    return Math.min(...times);
  };

  test('examine() of this machine, with its files and commands, takes less than a second', async () => {
    const [files, commands] = [new NodeFileSystem(), new ExecaCommandRunner({ logger: SILENT })];
    const locate = async (signal: AbortSignal): Promise<DatabaseLocation> =>
      await locateDatabase({ files, commands, databaseRoot: undefined }, signal);
    const doctor = new HostDoctor({
      files,
      commands,
      database: new OpenIscsiDatabase({
        files,
        clock: SYSTEM_CLOCK,
        processes: SYSTEM_PROCESSES,
        locks: new FakeLocks(),
        logger: SILENT,
        locate,
      }),
      clock: SYSTEM_CLOCK,
      netAddresses: SYSTEM_NET_ADDRESSES,
      libvirt: new FakeLibvirt(),
      options: readOptions({}, 'the test'),
      failedTransports: async () => [],
    });
    expect(await bestOf(() => doctor.examine('the test', new AbortController().signal))).toBeLessThan(1000);
  });

  test('examine() takes less than a second also where it watches a stale lock', async () => {
    const host = new DoctorHost();
    host.clock = SYSTEM_CLOCK;
    host.tree.write(LOCK, '');
    expect(
      await bestOf(async () => {
        expect((await host.findings()).map(({ code }) => code)).toContain('DATABASE_LOCK_STALE');
      }),
    ).toBeLessThan(1000);
  });
});

describe('permissions and folders', () => {
  named([
    [
      'a user who is not root',
      (host) => {
        host.answers.set('id -u', says('1000\n'));
      },
      ['error NOT_ROOT this process runs as user 1000, and root_helper is not set: it needs root | no command'],
    ],
    [
      'a root_helper that asks for a password',
      (host) => {
        host.answers.set('id -u', says('', 1, 'sudo: a password is required\n'));
      },
      ['error ROOT_HELPER_FAILED root_helper (sudo -n) runs no command: sudo: a password is required | no command'],
      { root_helper: ['sudo', '-n'] },
    ],
    [
      'a root_helper that is not installed',
      (host) => {
        host.answers.set('id -u', missing('sudo'));
      },
      [
        'error ROOT_HELPER_FAILED root_helper (sudo -n) cannot be run: Cannot run sudo: it is not installed, or ' +
          'not in PATH | no command',
      ],
      { root_helper: ['sudo', '-n'] },
    ],
    [
      'a root_helper that says nothing',
      (host) => {
        host.answers.set('id -u', says('', 1));
      },
      ['error ROOT_HELPER_FAILED root_helper (false) runs no command: exit status 1 | no command'],
      { root_helper: ['false'] },
    ],
    [
      'a root_helper that does not make root',
      (host) => {
        host.answers.set('id -u', says('1000\n'));
      },
      ['error ROOT_HELPER_FAILED root_helper (env) runs commands as user 1000 and not as root | no command'],
      { root_helper: ['env'] },
    ],
    [
      'a /dev of its own',
      (host) => {
        host.tree.write(
          '/proc/self/mountinfo',
          `${captured('host/mountinfo')}99 23 0:99 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k\n`,
        );
      },
      [
        "error DEV_WITHOUT_DISKS /dev is on tmpfs and not the kernel's devtmpfs, so that a disk that appears gets " +
          "no node in it: a container must be given the host's /dev | no command",
      ],
    ],
    [
      'a mount without a source beside it',
      (host) => {
        host.tree.write(
          '/proc/self/mountinfo',
          `${captured('host/mountinfo').replace(/^(.* \/dev rw.* - devtmpfs) \S+ /m, '$1  ')}99 23 0:99 / /mnt rw ` +
            `- tmpfs  rw\n`,
        );
      },
      [],
    ],
    [
      'a state_directory below a file',
      (host) => {
        host.tree.write('/var/lib/volumes', '');
      },
      [
        'error DIRECTORY_UNUSABLE state_directory is /var/lib/volumes/state, and /var/lib/volumes is no directory: ' +
          'set state_directory to one, or put away what is there | no command',
      ],
      { state_directory: '/var/lib/volumes/state' },
    ],
    [
      'a lock_directory on a file system that is read-only',
      (host) => {
        host.tree.write(
          '/proc/self/mountinfo',
          `${captured('host/mountinfo')}99 23 0:99 / /mnt/my\\040locks ro,relatime - ext4 /dev/vdb rw\n`,
        );
        host.tree.directory('/mnt/my locks');
      },
      [
        'error DIRECTORY_UNUSABLE lock_directory is /mnt/my locks/here, and /mnt/my locks is mounted read-only | ' +
          "mount -o remount,rw '/mnt/my locks'",
      ],
      { lock_directory: '/mnt/my locks/here' },
    ],
  ]);
});

describe('open-iscsi', () => {
  named([
    [
      'no iscsiadm',
      (host) => {
        host.answers.set('iscsiadm --version', missing('iscsiadm'));
      },
      ['error OPEN_ISCSI_MISSING iscsiadm is not installed, or not in PATH | apt-get install open-iscsi'],
    ],
    [
      'no iscsid, and no socket',
      (host) => {
        host.tree.remove(`/proc/${ISCSID}`);
        withoutSocket(host);
      },
      [
        'error ISCSID_NOT_RUNNING iscsid does not run, and systemd does not listen for it | systemctl start ' +
          'iscsid.socket',
      ],
    ],
    [
      'no iscsid, and a socket that starts it',
      (host) => {
        host.tree.remove(`/proc/${ISCSID}`);
      },
      [],
    ],
    [
      'an iscsid in another network namespace',
      withoutSocket,
      [
        `error ISCSID_NOT_RUNNING iscsid runs (process ${ISCSID}) and does not listen here: it is in another ` +
          'network namespace, or has not come up | systemctl restart iscsid',
      ],
    ],
    [
      'an iscsid that is stopped',
      (host) => {
        host.runs('iscsid', ISCSID, 'T');
        host.runs('iscsid', 613, 't');
      },
      [
        `error ISCSID_STOPPED iscsid is stopped (process ${ISCSID}, 613): a login would wait for ever | kill -CONT ` +
          `${ISCSID} 613`,
      ],
    ],
    [
      'an iscsid whose program was replaced',
      (host) => {
        host.tree.remove('/usr/sbin/iscsid');
      },
      [
        `warning ISCSID_REPLACED the program of the running iscsid (process ${ISCSID}) is not there any more: an ` +
          'upgrade replaced it, and iscsid still runs the old one | systemctl restart iscsid',
      ],
    ],
    [
      'open-iscsi 2.1.10',
      (host) => {
        for (const tool of ['iscsiadm', 'iscsid'])
          host.answers.set(`${tool} --version`, says(`${tool} version 2.1.10\n`));
      },
      [
        'error SCAN_MANUAL_HANGS open-iscsi 2.1.10 never returns from a login with node.session.scan = manual, ' +
          'which every volume uses | apt-get install --only-upgrade open-iscsi',
      ],
    ],
    [
      'two versions, on Fedora',
      (host) => {
        host.answers.set('iscsid --version', says('iscsid version 2.1.9\n'));
        host.tree.write('/etc/os-release', 'NAME="Fedora Linux"\nID=fedora\n');
      },
      [
        `error VERSION_MISMATCH iscsiadm is of version ${CAPTURED_RELEASE} and iscsid of 2.1.9: they do not ` +
          'understand each other | dnf reinstall iscsi-initiator-utils',
      ],
    ],
    [
      'an iscsid that is not in PATH',
      (host) => {
        host.answers.set('iscsid --version', missing('iscsid'));
      },
      [],
    ],
  ]);
});

describe('the initiator name', () => {
  named([
    [
      'no file',
      (host) => {
        host.tree.remove(NAME_FILE);
      },
      [`error INITIATOR_NAME_MISSING this host has no initiator name: there is no ${NAME_FILE} | ${NAME_MEND}`],
    ],
    [
      'a file that names nobody',
      (host) => {
        host.tree.write(NAME_FILE, '# InitiatorName=iqn.2026-11.org.example:one\nInitiatorAlias=me\n');
      },
      [
        `error INITIATOR_NAME_MISSING this host has no initiator name: ${NAME_FILE} has no ` +
          `InitiatorName=${NAME_IF_NEW} | no command`,
      ],
    ],
    [
      'an empty file',
      (host) => {
        host.tree.write(NAME_FILE, '');
      },
      [`error INITIATOR_NAME_MISSING this host has no initiator name: ${NAME_FILE} is empty | ${NAME_MEND}`],
    ],
    [
      'a key that iscsid does not take',
      (host) => {
        host.tree.write(NAME_FILE, '# ours\ninitiatorname=iqn.2026-11.org.example:one\n');
      },
      [
        `error INITIATOR_NAME_MISSING this host has no initiator name: ${NAME_FILE} says something else than ` +
          `InitiatorName=NAME in line 2${NAME_IF_NEW} | no command`,
      ],
    ],
    [
      "Debian's GenerateName=yes",
      (host) => {
        host.tree.write(NAME_FILE, 'GenerateName=yes\n');
      },
      [
        `error INITIATOR_NAME_NOT_GENERATED this host has no initiator name yet: ${NAME_FILE} says ` +
          'GenerateName=yes | systemctl restart iscsid',
      ],
    ],
    [
      'GenerateName=yes where nobody generates one',
      (host) => {
        host.tree.write(NAME_FILE, 'GenerateName=yes\n');
        host.tree.write('/etc/os-release', 'ID=fedora\n');
      },
      [
        `error INITIATOR_NAME_NOT_GENERATED this host has no initiator name yet: ${NAME_FILE} says ` +
          'GenerateName=yes | no command',
      ],
    ],
    [
      'a name that is none',
      (host) => {
        host.tree.write(NAME_FILE, 'InitiatorName=my host\n');
      },
      [
        `error INITIATOR_NAME_INVALID the initiator name "my host" in line 1 of ${NAME_FILE} is no iSCSI name: ` +
          'expected iqn.…, eui.… or naa.… | no command',
      ],
    ],
    [
      'a comment behind the name',
      (host) => {
        host.tree.write(NAME_FILE, '# ours\nInitiatorName=iqn.2026-11.org.example:one # of rack 4\n');
      },
      [
        'error INITIATOR_NAME_INVALID the initiator name "iqn.2026-11.org.example:one # of rack 4" in line 2 of ' +
          `${NAME_FILE} is no iSCSI name: expected iqn.2026-11.org.example:one alone, without a comment behind it | ` +
          'no command',
      ],
    ],
    [
      'the name first of several',
      (host) => {
        host.tree.write(NAME_FILE, '  InitiatorName = eui.02004567A425678D \nInitiatorName=nonsense\n');
      },
      [],
    ],
  ]);
});

describe('the database', () => {
  const record = '/etc/iscsi/nodes/iqn.2026-11.org.example:one/10.99.1.1,3260,1/default';
  const emptied = (path: string): string => `find ${path} -maxdepth 0 -type f -empty -delete`;
  const aside = (path: string): string => `mv -nvT -- ${path} /root/${path.slice(1).replaceAll('/', '_')}`;
  const sound = captured('nodes/new-style/10.99.1.1,3260,1/default');
  const next = sound.split('\n').length;
  const automatic = (iface: string, portal: string, startup: string): string =>
    `warning NODE_RECORD_AUTOMATIC the record of iqn.2026-11.org.example:fixtures at ${portal} over ${iface} has ` +
    `node.startup = ${startup}: it logs in by itself at boot, and brings its volumes back | iscsiadm -m node -T ` +
    `iqn.2026-11.org.example:fixtures -p ${shellWords(portal)} -I ${iface} -o update -n node.startup -v manual`;
  const unknown = (folder: string, why: string): string =>
    `warning NODE_RECORD_UNKNOWN the record /etc/iscsi/nodes/${folder}/10.99.1.1,3260,1/default is of no volume ` +
    `that could be connected, and is left alone: ${why} | no command`;
  named([
    [
      'a lock of a process of this library that was killed',
      (host) => {
        const process = host.sysfs.host.processes.start();
        host.tree.write(LOCK, ownName(process.identity));
        process.kill();
      },
      [
        "warning DATABASE_LOCK_LEFT open-iscsi's database is locked by process 4001 of this library, which was " +
          'killed: the next volume takes the lock over, and iscsiadm waits for it until then | rm ' +
          '/run/lock/iscsi/lock.write',
      ],
    ],
    [
      'a lock of a process of this library that runs',
      (host) => {
        host.tree.write(LOCK, ownName(host.sysfs.host.processes.start().identity));
      },
      [
        "error DATABASE_LOCK_HELD open-iscsi's database has been locked for 0.4 s by process 4001 of this library, " +
          'which runs, or is in another container | no command',
      ],
    ],
    [
      'a lock that nobody holds',
      (host) => {
        host.tree.write(LOCK, '');
      },
      [
        `error DATABASE_LOCK_STALE open-iscsi's database is locked by nobody: ${LOCK} has been there for 0.4 s, ` +
          `and no iscsiadm or iscsid is stalled with it | rm ${LOCK}`,
      ],
    ],
    [
      'a lock that nobody holds and somebody waits for',
      (host) => {
        host.tree.write(LOCK, '');
        host.runs('iscsiadm', 900);
        host.runs('bash', 901, 'T');
      },
      [
        `error DATABASE_LOCK_STALE open-iscsi's database is locked by nobody: ${LOCK} has been there for 0.4 s, ` +
          `and no iscsiadm or iscsid is stalled with it; iscsiadm waits for it (process 900) | rm ${LOCK}`,
      ],
    ],
    [
      'a lock whose iscsiadm is stopped',
      (host) => {
        host.tree.write(LOCK, '');
        host.runs('iscsiadm', 900, 'T');
      },
      [
        "error DATABASE_LOCK_HELD open-iscsi's database is locked, as it seems by iscsiadm (process 900), which is " +
          'stopped | kill -CONT 900',
      ],
    ],
    [
      'a lock whose iscsiadm waits for the disk',
      (host) => {
        host.tree.write(LOCK, '');
        host.runs('iscsiadm', 900, 'D');
      },
      [
        "error DATABASE_LOCK_HELD open-iscsi's database is locked, as it seems by iscsiadm (process 900), which is " +
          'blocked | no command',
      ],
    ],
    [
      'a record of length zero',
      (host) => {
        host.tree.write(record, '');
      },
      [`error NODE_RECORD_BROKEN the record ${record} is empty | ${emptied(record)}`],
    ],
    [
      'a record with a broken line, whose secret is not shown',
      (host) => {
        host.tree.write(record, `${sound}node.session.auth.password "geheim"\n`);
      },
      [
        `warning LINE_NOT_UNDERSTOOD open-iscsi does not take all of ${record} as it stands there: line ${next} ` +
          '(node.session.auth.password) is passed over: it has no "=" behind its first word | no command',
      ],
    ],
    [
      'a record with a key that open-iscsi does not have',
      (host) => {
        host.tree.write(record, `${sound}node.session.nr_sesions = 1\n`);
      },
      [
        `warning LINE_NOT_UNDERSTOOD open-iscsi does not take all of ${record} as it stands there: line ${next} ` +
          '(node.session.nr_sesions) is passed over: open-iscsi has no such key. Until that is mended "iscsiadm -m ' +
          'node" lists nothing | no command',
      ],
    ],
    [
      'an iface record with a line that is cut off',
      (host) => {
        host.tree.write('/etc/iscsi/ifaces/card', 'iface.transport_name = tcp\niface.net_ifacename = eth1');
      },
      [
        'warning LINE_NOT_UNDERSTOOD open-iscsi does not take all of /etc/iscsi/ifaces/card as it stands there: ' +
          'line 2 is passed over: it is the last line and has no line break at its end | no command',
      ],
    ],
    [
      'an iscsid.conf with lines of another program',
      (host) => {
        host.tree.write(
          '/etc/iscsi/iscsid.conf',
          '[node]\n; old\nnode.startup=manual\nnode.session.timeo.replacement_timeout = 2 ' +
            'min\n\na\nb\niscsid.startup = /bin/true\n',
        );
      },
      [
        'warning LINE_NOT_UNDERSTOOD open-iscsi does not take all of /etc/iscsi/iscsid.conf as it stands there: ' +
          'line 1 is passed over: it has no "="; line 2 is passed over: it has no "=" behind its first word;' +
          ' line 3 (node.startup) is passed over: it has no blank before its "="; line 4 ' +
          '(node.session.timeo.replacement_timeout): "2 min" is read as 2; line 6 is passed over: it has no "="; ' +
          'and 1 more | no command',
      ],
    ],
    [
      'a record that breaks off before its portal',
      (host) => {
        host.tree.write(record, '# BEGIN RECORD 2.1.8\nnode.name = iqn.2026-11.org.example:one\n');
      },
      [`error NODE_RECORD_BROKEN the record ${record} is broken: it has no node.conn[0].address | ${aside(record)}`],
    ],
    [
      'an empty record of the old layout, under a name that a shell would read',
      (host) => {
        host.tree.write("/etc/iscsi/nodes/it's; rm -r $HOME/10.99.1.1,3260", '\n');
      },
      [
        "error NODE_RECORD_BROKEN the record /etc/iscsi/nodes/it's; rm -r $HOME/10.99.1.1,3260 is empty | mv -nvT " +
          "-- '/etc/iscsi/nodes/it'\\''s; rm -r $HOME/10.99.1.1,3260' '/root/etc_iscsi_nodes_it'\\''s; rm -r " +
          "$HOME_10.99.1.1,3260'",
      ],
    ],
    [
      'an empty SendTargets record',
      (host) => {
        host.tree.write('/etc/iscsi/send_targets/10.99.1.1,3260/st_config', '');
      },
      [
        'warning DISCOVERY_RECORD_BROKEN the record /etc/iscsi/send_targets/10.99.1.1,3260/st_config is empty | ' +
          'find /etc/iscsi/send_targets/10.99.1.1,3260/st_config -maxdepth 0 -type f -empty -delete',
      ],
    ],
    [
      'records that log in at boot',
      (host) => {
        host.tree.write(record, sound.replace(/^node\.startup = .*$/m, 'node.startup = automatic'));
        host.tree.write(
          '/etc/iscsi/nodes/two/2001:db8::1,3260,1/default',
          captured('nodes/new-style/2001:db8::1,3260,1/default').replace(
            /^node\.startup = .*$/m,
            'node.startup = onboot',
          ),
        );
      },
      [automatic('default', '10.99.1.1:3260', 'automatic'), automatic('default', '[2001:db8::1]:3260', 'onboot')],
    ],
    [
      'records that no volume can be of',
      (host) => {
        for (const [folder, text] of [
          ['a', sound.replace(/^node\.name = .*$/m, 'node.name = iqn.2010-10.org.example:a b')],
          ['b', sound.replace(/(?<=^node\.conn\[0\]\.address = ).*$/m, 'no address')],
          ['c', sound.replace(/(?<=^iface\.iscsi_ifacename = ).*$/m, 'my iface')],
        ] as const)
          host.tree.write(`/etc/iscsi/nodes/${folder}/10.99.1.1,3260,1/default`, text);
      },
      [
        unknown(
          'a',
          'Cannot read "iqn.2010-10.org.example:a b" as an iSCSI target name: it has a blank or a character that ' +
            'is not seen, at which open-iscsi cuts it; expected the form iqn.2010-10.org.openstack:volume-1',
        ),
        unknown(
          'b',
          'Cannot read "no address" as a host name: expected letters, digits and "-" between dots, such as ' +
            'storage-1.example.org',
        ),
        unknown(
          'c',
          'Cannot read "my iface" as an iface name: expected 1 to 64 letters, digits or . _ : - and no ".."',
        ),
      ],
    ],
    [
      'records in any spelling that open-iscsi takes',
      (host) => {
        const spelled = ['2001:DB8:0:0::9', '[2001:db8::9]', '::ffff:192.0.2.1', 'storage_1.', '192.0.2.010'];
        for (const [index, address] of spelled.entries())
          host.tree.write(
            `/etc/iscsi/nodes/${index}/${address},3260,1/default`,
            sound.replace(/(?<=^node\.conn\[0\]\.address = ).*$/m, address),
          );
      },
      [],
    ],
    [
      'sessions that no volume can be on',
      (host) => {
        for (const [target, transport] of [
          ['a b', 'tcp'],
          ['iqn.2010-10.org.example:c', 'warp'],
        ] as const)
          host.sysfs.host.kernel.addSession({
            target,
            portal: { address: '10.99.1.1', port: 3260 },
            iface: 'default',
            transport,
          });
      },
      [
        'warning SESSION_UNKNOWN session 1 to "a b" over the iface "default" is left alone: Cannot read "a b" as ' +
          'an iSCSI target name: it has a blank or a character that is not seen, at which open-iscsi cuts it; ' +
          'expected the form iqn.2010-10.org.openstack:volume-1 | no command',
        'warning SESSION_UNKNOWN session 2 to "iqn.2010-10.org.example:c" over the iface "default" is left alone: ' +
          "its driver warp is none of open-iscsi's transports | no command",
      ],
    ],
    [
      'every record that open-iscsi itself wrote',
      (host) => {
        for (const [folder, file] of [
          ['new-style', '10.99.1.1,3260,1/iser'],
          ['with-chap', '10.99.1.1,3260,1/default'],
          ['without-iface', '10.99.3.1,3260'],
        ] as const)
          host.tree.write(`/etc/iscsi/nodes/${folder}/${file}`, captured(`nodes/${folder}/${file}`));
      },
      [],
    ],
    [
      'records that open-iscsi does not read, of another that was here before',
      (host) => {
        for (const path of [
          'nodes/one/10.99.1.1,3260,1/default',
          'nodes/one/10.99.1.1,3260,1/iser',
          'ifaces/card',
          'ifaces/iface.example',
        ])
          host.tree.write(`/var/lib/iscsi/${path}`, '');
      },
      [
        'warning DATABASE_RECORDS_ELSEWHERE /var/lib/iscsi has 3 records that open-iscsi never reads: its database ' +
          'is in /etc/iscsi, as /usr/sbin/iscsiadm was built | mkdir -p /etc/iscsi && cp -an /var/lib/iscsi/nodes ' +
          '/var/lib/iscsi/ifaces /etc/iscsi/',
      ],
    ],
    [
      'records that were copied from there',
      (host) => {
        for (const root of ['/etc/iscsi', '/var/lib/iscsi'])
          host.tree.write(`${root}/nodes/one/10.99.1.1,3260,1/default`, sound);
      },
      [],
    ],
    [
      'a folder of records that leads to the other',
      (host) => {
        host.tree.write(record, sound);
        host.tree.symbolicLink('/var/lib/iscsi/nodes', '/etc/iscsi/nodes');
      },
      [],
    ],
    [
      'a database_root that is not where the records are',
      () => undefined,
      [
        "error DATABASE_ROOT_DIFFERS database_root is /srv/iscsi, and open-iscsi's database is in /etc/iscsi, as " +
          '/usr/sbin/iscsiadm was built: no login will find its record | no command',
      ],
      { database_root: '/srv/iscsi' },
    ],
    ['a database_root that is', () => undefined, [], { database_root: '/etc/iscsi/' }],
    [
      'an iscsiadm that does not tell where its records are',
      (host) => {
        host.tree.write('/usr/sbin/iscsiadm', '#!/bin/sh\n');
        host.answers.set(
          'iscsiadm -m discoverydb -t sendtargets -p libvirt-volume.none:3260 -I default -o show -d 6',
          says('', 20),
        );
      },
      [
        'error DATABASE_ROOT_UNKNOWN Cannot find out where iscsiadm keeps its records: neither does the program ' +
          'hold the path, nor does it tell; set database_root to the folder in which open-iscsi keeps nodes and ' +
          'ifaces | no command',
      ],
    ],
  ]);

  test('examine() reads the database of an open-iscsi with /var/lib/iscsi, and names leftover records', async () => {
    const host = new DoctorHost(OPEN_ISCSI_2_1_11);
    expect((await host.findings()).find(({ code }) => code === 'DATABASE_SOUND')?.message).toBe(
      "open-iscsi's database in /var/lib/iscsi, as /usr/sbin/iscsiadm was built, has 0 records and is not locked",
    );
    host.tree.write('/var/lib/iscsi/nodes/one/10.99.1.1,3260,1/default', '');
    host.tree.write(record, sound);
    expect(await host.problems()).toEqual([
      'error NODE_RECORD_BROKEN the record /var/lib/iscsi/nodes/one/10.99.1.1,3260,1/default is empty | find ' +
        '/var/lib/iscsi/nodes/one/10.99.1.1,3260,1/default -maxdepth 0 -type f -empty -delete',
      'warning DATABASE_RECORDS_ELSEWHERE /etc/iscsi has 1 record that open-iscsi never reads: its database is in ' +
        '/var/lib/iscsi, as /usr/sbin/iscsiadm was built | mkdir -p /var/lib/iscsi && cp -an /etc/iscsi/nodes ' +
        '/var/lib/iscsi/',
    ]);
  });

  test("examine() does not take the doctor's own iscsiadm for one that holds or wants the lock", async () => {
    const host = new DoctorHost();
    host.tree.write(LOCK, '');
    const run = host.run.bind(host);
    host.run = async (command) => {
      if (command.program !== 'iscsiadm') return await run(command);
      host.runs('iscsiadm', 950, 'D');
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
      host.tree.remove('/proc/950');
      return await run(command);
    };
    expect(await host.problems()).toEqual([
      `error DATABASE_LOCK_STALE open-iscsi's database is locked by nobody: ${LOCK} has been there for 0.4 s, and ` +
        `no iscsiadm or iscsid is stalled with it | rm ${LOCK}`,
    ]);
  });

  test('examine() ignores a lock that goes meanwhile', async () => {
    const host = new DoctorHost();
    host.tree.write(LOCK, '');
    const sleep = host.clock.sleep.bind(host.clock);
    host.clock.sleep = async (ms, signal) => {
      await sleep(ms, signal);
      if (host.clock.now() > 200) host.tree.remove(LOCK);
    };
    expect(await host.problems()).toEqual([]);
  });

  test('examine() reads and counts a hundred records', async () => {
    const host = new DoctorHost();
    for (let target = 0; target < 50; target++)
      for (const iface of ['default', 'iser'])
        host.tree.write(
          `/etc/iscsi/nodes/target-${target}/10.99.1.1,3260,1/${iface}`,
          captured(`nodes/new-style/10.99.1.1,3260,1/${iface}`),
        );
    expect((await host.findings()).find(({ code }) => code === 'DATABASE_SOUND')?.message).toBe(
      "open-iscsi's database in /etc/iscsi, as /usr/sbin/iscsiadm was built, has 100 records and is not locked",
    );
  });
});

test('examine() warns of a transport that waits for its retry, and not of one whose time has come', async () => {
  const host = new DoctorHost();
  const failed = { iface: 'iser', portal: '10.98.0.1:3260', reason: 'no such host adapter' };
  host.failed = [
    { ...failed, retryInMs: 61_001 },
    { ...failed, retryInMs: 0 },
  ];
  expect(await host.problems()).toEqual([
    'warning TRANSPORT_NOT_TRIED the iface iser failed at 10.98.0.1:3260 and is not tried there for another 62 s: ' +
      'no such host adapter | no command',
  ]);
});

describe('multipath', () => {
  const asked = { volume_use_multipath: true };
  const greedy = says('defaults {\n\tfind_multipaths "greedy"\n}\noverrides {\n\tfind_multipaths "yes"\n}\n');
  const enforced = { ...asked, volume_enforce_multipath: true };
  const START = 'systemctl start multipathd';
  named([
    [
      'nobody asks for multipath, and multipathd takes every disk',
      (host) => {
        host.answers.set('multipathd show config local', greedy);
        host.runs('multipathd', 700);
      },
      [
        'warning MULTIPATHD_TAKES_ALL multipathd has find_multipaths = greedy, and makes a map of every volume ' +
          'though volume_use_multipath is false' +
          ' | mkdir -p /etc/multipath/conf.d && printf "defaults {\\n  find_multipaths yes\\n}\\n" >> ' +
          '/etc/multipath/conf.d/libvirt-volume.conf && multipathd reconfigure',
      ],
    ],
    [
      'no multipathd',
      () => undefined,
      [
        'warning ONE_PATH_ONLY volume_use_multipath is true, and multipathd does not run: volumes come over one ' +
          `path | ${START}`,
      ],
      asked,
    ],
    [
      'no multipathd, and a map enforced',
      () => undefined,
      [`error MULTIPATHD_NOT_RUNNING volume_enforce_multipath is true, and multipathd does not run | ${START}`],
      enforced,
    ],
    [
      'a multipathd that does not say',
      (host) => {
        host.runs('multipathd', 700);
        host.answers.set('multipathd show config local', says('', 1, 'timeout\n'));
      },
      [],
      asked,
    ],
  ]);

  test('examine() reports find_multipaths of multipathd', async () => {
    const host = new DoctorHost();
    host.runs('multipathd', 700);
    expect(await host.findings(asked)).toContainEqual({
      severity: 'ok',
      code: 'MULTIPATH_READY',
      message: 'multipathd runs, with find_multipaths = off',
      hint: undefined,
    });
  });
});

test('examine() reports what it may not read once, and the other checks go on', async () => {
  const host = new DoctorHost();
  const list = host.sysfs.host.list.bind(host.sysfs.host);
  host.sysfs.host.list = async (folder) => {
    if (folder.startsWith('/etc/iscsi'))
      throw new VolumeError('PERMISSION_DENIED', 'Cannot use /etc/iscsi: this user may not');
    return await list(folder);
  };
  expect(await host.problems()).toEqual(['error NOT_READABLE Cannot use /etc/iscsi: this user may not | no command']);
  expect((await host.findings()).map(({ code }) => code)).toContain('LIBVIRT_ANSWERS');
});

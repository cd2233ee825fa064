import { describe, expect, test } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import type { Logger } from '../../../src/base/logger.js';
import { Secret } from '../../../src/base/secret.js';
import { parsePortal } from '../../../src/connection/portal.js';
import { parseTargetName } from '../../../src/connection/target-name.js';
import { type Command, type CommandResult, printable } from '../../../src/host/command.js';
import { parseIfaceName } from '../../../src/iface/iface-name.js';
import { OWNER_COMMENT } from '../../../src/database/record-text.js';
import { discoverPortals, type PortalSearch } from '../../../src/initiator/discovery/discover-portals.js';
import { FakeClock } from '../../fakes/fake-clock.js';
import { fakeDatabase } from '../../fakes/fake-database.js';
import { FakeHost } from '../../fakes/fake-host.js';
import { FakeHostNames } from '../../fakes/fake-host-names.js';
import { FakeTarget } from '../../fakes/fake-target.js';
import { capturedAnswer } from '../captured.js';

const target = parseTargetName('iqn.2026-11.org.example:fixtures-1');
const PLAIN: PortalSearch = {
  portal: parsePortal('10.99.1.1:3260'),
  target,
  iface: parseIfaceName('default'),
  chap: undefined,
};
const CHAP: PortalSearch = { ...PLAIN, chap: { username: 'finder', password: new Secret('finderfinderf') } };
const FOLDER = '/etc/iscsi/send_targets';
const OURS = `${FOLDER}/libvirt-volume.default.10.99.1.1.iqn.2026-11.org.example%3Afixtures-1,3260/st_config`;
const SIGNAL = new AbortController().signal;

interface World {
  readonly host: FakeHost;
  readonly names: FakeHostNames;
  readonly warnings: readonly string[];
  readonly discover: (search?: PortalSearch, signal?: AbortSignal) => ReturnType<typeof discoverPortals>;
  /** What iscsiadm says to everything; `look` sees the host as it is then. */
  readonly answer: (result: CommandResult, look?: () => void) => void;
}

function open(): World {
  const clock = new FakeClock();
  const host = new FakeHost({ clock });
  const names = new FakeHostNames();
  const warnings: string[] = [];
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (message) => {
      warnings.push(message);
    },
  };
  host.targets.push(
    new FakeTarget({
      iqn: target,
      portals: [
        { address: '10.99.1.1', port: 3260, serves: 'tcp' },
        { address: '10.99.2.1', port: 3260, serves: 'tcp' },
      ],
    }),
  );
  return {
    host,
    names,
    warnings,
    discover: async (search = PLAIN, signal = SIGNAL) =>
      await discoverPortals(
        {
          commands: host,
          files: host,
          database: fakeDatabase(host),
          clock,
          hostNames: names,
          logger,
          loginTimeoutMs: 2000,
        },
        search,
        signal,
      ),
    answer: (result, look = () => undefined) => {
      host.run = async (command: Command) => {
        host.commands.push(command);
        look();
        return result;
      };
    },
  };
}

const printed = (...lines: readonly string[]): CommandResult => ({
  exitCode: 0,
  stdout: lines.map((line) => `${line}\n`).join(''),
  stderr: '',
});

describe('discoverPortals()', () => {
  test.each([
    ['discovery-tcp', ['10.99.1.1:3260,1', '10.99.2.1:3260,1', '10.98.0.1:3260,1']],
    ['discovery-chap', ['10.99.1.1:3260,1', '10.99.2.1:3260,1', '10.98.0.1:3260,1']],
    ['discovery-iser', ['10.98.0.1:3260,1']],
    ['discovery-chap-iser', ['10.98.0.1:3260,1']],
  ] as const)("discoverPortals() with answers/%s.json gives the target's portals and tags", async (name, portals) => {
    const { answer, discover } = open();
    answer(capturedAnswer(name));
    expect(await discover()).toEqual(portals.map(parsePortal));
  });

  test('discoverPortals() gives each IPv6 portal once, though LIO prints it twice', async () => {
    const { answer, discover } = open();
    answer(capturedAnswer('discovery-ipv6'));
    expect(await discover({ ...PLAIN, target: parseTargetName('iqn.2026-11.org.example:fixtures-4') })).toEqual([
      parsePortal('[fd00:99::1]:3262,1'),
    ]);
  });

  test('discoverPortals() distinguishes a target from one whose name begins like it', async () => {
    const { answer, discover } = open();
    answer(capturedAnswer('discovery-tcp'));
    await expect(
      discover({ ...PLAIN, target: parseTargetName('iqn.2026-11.org.example:fixtures') }),
    ).rejects.toMatchObject({ code: 'LOGIN_REFUSED', message: expect.stringContaining('not among those') as unknown });
  });

  test('discoverPortals() runs one command, with -I, that makes no record', async () => {
    const { host, discover } = open();
    await discover();
    expect(host.commands.map(printable)).toEqual([
      'iscsiadm -m discoverydb -t sendtargets -p ' +
        'libvirt-volume.default.10.99.1.1.iqn.2026-11.org.example%3Afixtures-1:3260 -I default ' +
        '-o nonpersistent --discover',
    ]);
    expect(host.commands[0]?.patience.kind).toBe('wait');
  });

  test('discoverPortals() gives open-iscsi the secret in a record of its own, for the command alone', async () => {
    const { host, discover } = open();
    const run = host.run.bind(host);
    const texts: (string | undefined)[] = [];
    host.run = async (command, signal) => {
      texts.push(host.tree.read(OURS));
      return await run(command, signal);
    };
    host.discoveryChap = { username: 'finder', password: 'finderfinderf' };
    expect(await discover(CHAP)).toHaveLength(2);
    expect(texts).toEqual([expect.stringContaining('discovery.sendtargets.auth.password = finderfinderf\n')]);
    expect(texts[0]).toContain(`# ${OWNER_COMMENT}\n`);
    expect(host.residue()).toEqual([]);
    expect(host.tree.kind(FOLDER)).toBeUndefined();
  });

  test('discoverPortals() without CHAP sends no secret, not even that of iscsid.conf', async () => {
    const { host, discover } = open();
    host.tree.write(
      '/etc/iscsi/iscsid.conf',
      'discovery.sendtargets.auth.authmethod = CHAP\ndiscovery.sendtargets.auth.username = ' +
        'admin\ndiscovery.sendtargets.auth.password = ' +
        'of-the-host\ndiscovery.sendtargets.iscsi.MaxRecvDataSegmentLength = 32768\ndiscovery.sendtargets.reopen_max ' +
        '= 5\nnode.session.auth.chap_algs = SHA256\nnode.session.auth.password = of-sessions\n',
    );
    let text = '';
    const run = host.run.bind(host);
    host.run = async (command, signal) => {
      text = host.tree.read(OURS) ?? '';
      return await run(command, signal);
    };
    await discover();
    expect(text.split('\n').filter((line) => !line.startsWith('#') && line !== '')).toEqual([
      'discovery.startup = manual',
      'discovery.type = sendtargets',
      'discovery.sendtargets.iscsi.MaxRecvDataSegmentLength = 32768',
      'discovery.sendtargets.reopen_max = 0',
      'node.session.auth.chap_algs = SHA256',
      'discovery.sendtargets.address = 10.99.1.1',
      'discovery.sendtargets.port = 3260',
      'discovery.sendtargets.auth.authmethod = None',
      'discovery.sendtargets.timeo.login_timeout = 2',
      'discovery.sendtargets.use_discoveryd = No',
    ]);
  });

  test.each([
    ['is found', 0],
    ['is refused', 24],
  ] as const)(
    "discoverPortals() keeps an administrator's record of the portal when the target %s",
    async (_what, exitCode) => {
      const { host, answer, discover } = open();
      const theirs = `${FOLDER}/10.99.1.1,3260/st_config`;
      const seen: unknown[] = [];
      host.tree.write(theirs, '# BEGIN RECORD 2.1.8\ndiscovery.sendtargets.auth.password = theirs  \n# END RECORD');
      const before = host.tree.paths();
      answer(exitCode === 0 ? capturedAnswer('discovery-tcp') : capturedAnswer('discovery-wrong-chap'), () => {
        seen.push(host.tree.read(theirs));
      });
      const outcome: unknown = await discover(CHAP).catch((error: unknown) => error);
      expect(outcome).toMatchObject(
        exitCode === 0
          ? [{ address: '10.99.1.1' }, { address: '10.99.2.1' }, { address: '10.98.0.1' }]
          : { details: { exitCode } },
      );
      expect([...seen, host.tree.read(theirs)]).toEqual(
        Array.from(
          { length: 2 },
          () => '# BEGIN RECORD 2.1.8\ndiscovery.sendtargets.auth.password = theirs  \n# END RECORD',
        ),
      );
      expect(host.tree.paths().filter((path) => path.startsWith(FOLDER))).toEqual(
        before.filter((path) => path.startsWith(FOLDER)),
      );
    },
  );

  test.each([
    ['discovery-no-chap', 'LOGIN_AUTH_FAILED', 'authorization failure'],
    ['discovery-wrong-chap', 'LOGIN_AUTH_FAILED', 'authorization failure'],
    ['discovery-refused', 'PORTAL_UNREACHABLE', 'the portal does not answer'],
    ['discovery-silent', 'PORTAL_UNREACHABLE', 'the portal does not answer'],
    ['discovery-no-iscsid', 'INITIATOR_UNAVAILABLE', 'could not connect to iscsid'],
    ['discovery-no-target', 'LOGIN_REFUSED', 'the portal shows this initiator no target'],
    ['discovery-unknown-iface', 'TRANSPORT_UNAVAILABLE', 'the iface cannot be used'],
    ['discovery-driver-missing', 'PORTAL_UNREACHABLE', 'the portal does not answer'],
  ] as const)(
    'discoverPortals() that ends as in answers/%s.json rejects with %s, and leaves nothing',
    async (name, code, words) => {
      const { host, answer, discover } = open();
      const captured = capturedAnswer(name);
      answer(captured);
      const error: unknown = await discover(CHAP).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code,
        message: expect.stringContaining(words) as unknown,
        details: { exitCode: captured.exitCode, iface: 'default', portal: '10.99.1.1:3260', target },
      });
      expect(String((error as Error).cause)).toContain(captured.stderr.trim().split('\n').at(-1));
      expect(host.residue()).toEqual([]);
    },
  );

  test('discoverPortals() fails on an unreadable line, and quotes it', async () => {
    const { answer, discover } = open();
    answer(printed(`10.99.1.1:3260,1 ${target}`, 'Segmentation fault'));
    await expect(discover()).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: expect.stringContaining(
        'Cannot read the line "Segmentation fault": expected "ADDRESS:PORT,TAG TARGET"',
      ) as unknown,
    });
  });

  test('discoverPortals() ignores a target with a name that this library would never use', async () => {
    const { answer, discover } = open();
    answer(
      printed(
        '10.99.1.1:3260,1 iqn.odd:../../name',
        `10.99.1.1:3260,1 ${target}`,
        '10.99.1.1:3260,1 eui.02004567A425678D',
      ),
    );
    expect(await discover()).toEqual([parsePortal('10.99.1.1:3260,1')]);
  });

  test('discoverPortals() reads the unspecified address as the one that answered, -1 as no tag', async () => {
    const { answer, discover } = open();
    answer(printed(`0.0.0.0:3261,-1 ${target}`, `[::]:3262,4294967295 ${target}`));
    expect(await discover()).toEqual([parsePortal('10.99.1.1:3261'), parsePortal('10.99.1.1:3262')]);
  });

  test('discoverPortals() warns of and drops link-local portals, unless it went over a link itself', async () => {
    const { answer, discover, warnings } = open();
    const lines = printed(
      `[fe80::1]:3260,1 ${target}`,
      `fe80::2%eth0.7:3260,1 ${target}`,
      `[fd00::1]:3260,1 ${target}`,
    );
    answer(lines);
    expect(await discover()).toEqual([parsePortal('[fd00::1]:3260,1')]);
    expect(warnings).toHaveLength(2);
    expect(await discover({ ...PLAIN, portal: parsePortal('[fe80::9%eth1]:3260') })).toEqual(
      ['[fe80::1%eth1]:3260,1', '[fe80::2%eth1]:3260,1', '[fd00::1]:3260,1'].map(parsePortal),
    );
  });

  test("discoverPortals() resolves a portal's name, and drops one with an unknown name, with a warning", async () => {
    const { answer, discover, names, warnings } = open();
    names.addresses.set('storage', ['192.0.2.1']);
    names.addresses.set('storage.example.org', ['192.0.2.1', '192.0.2.2']);
    answer(
      printed(
        `[storage]:3260,1 ${target}`,
        `storage.example.org:3260,2 ${target}`,
        `gone.example.org:3260,1 ${target}`,
      ),
    );
    expect(await discover()).toEqual([parsePortal('192.0.2.1:3260,1'), parsePortal('192.0.2.2:3260,2')]);
    expect(warnings).toEqual(['Leaving out a portal whose name cannot be resolved']);
  });

  test('discoverPortals() writes the colons of an IPv6 address as iscsiadm needs them', async () => {
    const { answer, discover, host } = open();
    answer(printed(`[fd00::1]:3260,1 ${target}`));
    await discover({ ...PLAIN, portal: parsePortal('[fd00::1]:3260') });
    expect(host.commands[0]?.args[5]).toBe(
      'libvirt-volume.default.fd00%3A%3A1.iqn.2026-11.org.example%3Afixtures-1:3260',
    );
  });

  test("discoverPortals() is DATABASE_LOCKED, and runs nothing, while open-iscsi's lock is held", async () => {
    const { discover, host } = open();
    host.tree.write('/run/lock/iscsi/lock.write', '');
    await expect(discover(CHAP)).rejects.toMatchObject({ code: 'DATABASE_LOCKED' });
    expect(host.commands).toEqual([]);
    expect(host.residue()).toEqual(['/run/lock/iscsi/lock.write']);
  });

  test('discoverPortals() that cannot remove its record names the file, and keeps the first reason', async () => {
    const { discover, host, answer } = open();
    answer(capturedAnswer('discovery-refused'), () => {
      host.tree.write('/run/lock/iscsi/lock.write', '');
    });
    await expect(discover(CHAP)).rejects.toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      message: `Cannot remove the discovery record ${OURS}`,
      hint: `rm -f ${OURS} && rmdir ${OURS.replace('/st_config', '')}`,
      cause: { errors: [{ code: 'PORTAL_UNREACHABLE' }, { code: 'DATABASE_LOCKED' }] },
    });
  });
});

test('captures of a discovery show no secret', () => {
  for (const name of readdirSync('test/fixtures/open-iscsi/2.1.8/answers').filter((file) =>
    file.startsWith('discovery-'),
  )) {
    expect(readFileSync(`test/fixtures/open-iscsi/2.1.8/answers/${name}`, 'utf8')).not.toMatch(
      /finderfinderf|wrongwrongwrong/,
    );
  }
});

test.each([`iqn.2026-11.org.example:${'x:'.repeat(99)}`, `iqn.2026-11.org.example:${'ü'.repeat(99)}`])(
  'discoverPortals() of a long target name writes a record whose folder any file system allows: %s',
  async (name) => {
    const { host, discover } = open();
    const long = parseTargetName(name);
    host.targets.push(new FakeTarget({ iqn: long, portals: [{ address: '10.99.1.1', port: 3260, serves: 'tcp' }] }));
    const folders: string[] = [];
    const run = host.run.bind(host);
    host.run = async (command: Command, signal) => {
      folders.push(...host.tree.list(FOLDER));
      return await run(command, signal);
    };
    expect(await discover({ ...PLAIN, target: long })).toHaveLength(1);
    expect(folders.map((folder) => Buffer.byteLength(folder) <= 255)).toEqual([true]);
    expect(host.residue()).toEqual([]);
  },
);

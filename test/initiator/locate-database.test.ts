import { describe, expect, test } from '@jest/globals';
import { type Command, type CommandResult, printable } from '../../src/host/command.js';
import type { OpenIscsiDatabase } from '../../src/database/open-iscsi-database.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { fakeDatabase } from '../fakes/fake-database.js';
import { FakeHost } from '../fakes/fake-host.js';
import { type FakeRelease, OPEN_ISCSI_2_1_11, OPEN_ISCSI_2_1_8, RELEASES } from '../fakes/fake-release.js';

const ISCSIADM = '/usr/sbin/iscsiadm';
const SCRIPT = '#!/bin/sh\nexec chroot /host iscsiadm "$@"\n';
const QUESTION = 'iscsiadm -m discoverydb -t sendtargets -p libvirt-volume.none:3260 -I default -o show -d 6';

function hostWith(release: FakeRelease): FakeHost {
  return new FakeHost({ clock: new FakeClock(), release });
}

/** An iscsiadm that says nothing of where it looks. */
function silent(host: FakeHost): OpenIscsiDatabase {
  const run = async (command: Command): Promise<CommandResult> => {
    host.commands.push(command);
    return { exitCode: 6, stdout: '', stderr: 'iscsiadm: Discovery record [libvirt-volume.none,3260] not found.\n' };
  };
  return fakeDatabase(host, { commands: { run, locate: async () => ISCSIADM } });
}

describe('locateDatabase()', () => {
  test.each(RELEASES)("locateDatabase() reads open-iscsi $version's program, starting nothing", async (release) => {
    const host = hostWith(release);
    expect(await fakeDatabase(host).location()).toEqual({
      root: release.root,
      lockFolder: '/run/lock/iscsi',
      proof: { kind: 'program', path: ISCSIADM },
    });
    expect(host.commands).toEqual([]);
  });

  test.each([
    [
      'a record that an upgrade left in the old root, beside the folders of the new one',
      OPEN_ISCSI_2_1_11,
      ['/etc/iscsi/nodes/iqn.a/192.0.2.1,3260,1/default', '/var/lib/iscsi/nodes/'],
    ],
    [
      'records in both',
      OPEN_ISCSI_2_1_11,
      ['/etc/iscsi/nodes/iqn.a/192.0.2.1,3260,1/default', '/var/lib/iscsi/nodes/iqn.b/192.0.2.1,3260,1/default'],
    ],
    [
      'a record in the other root',
      OPEN_ISCSI_2_1_8,
      ['/var/lib/iscsi/nodes/iqn.a/192.0.2.1,3260,1/default', '/var/lib/iscsi/ifaces/card'],
    ],
    ['no folder at all', OPEN_ISCSI_2_1_11, []],
  ] as const)('locateDatabase() is not misled by %s', async (_what, release, paths) => {
    const host = hostWith(release);
    for (const path of paths) host.tree.write(path, 'node.name = x\n');
    expect(await fakeDatabase(host).root()).toBe(release.root);
  });

  test.each(RELEASES)(
    'locateDatabase() asks iscsiadm $version where a script replaces it, and changes nothing',
    async (release) => {
      const host = hostWith(release);
      host.tree.write(ISCSIADM, SCRIPT);
      const before = host.tree.paths();
      expect(await fakeDatabase(host).location()).toMatchObject({ root: release.root, proof: { kind: 'answer' } });
      expect([host.commands.map(printable), host.tree.paths()]).toEqual([[QUESTION], before]);
    },
  );

  test.each<[string, (host: FakeHost) => OpenIscsiDatabase]>([
    [
      'the runner cannot tell where the program is',
      (host) => fakeDatabase(host, { commands: { run: async (command, signal) => await host.run(command, signal) } }),
    ],
    [
      'the program is not there for this process, but for root_helper',
      (host) =>
        fakeDatabase(host, {
          commands: {
            run: async (command, signal) => await host.run(command, signal),
            locate: async () => '/host/iscsiadm',
          },
        }),
    ],
  ])('locateDatabase() asks iscsiadm where %s', async (_what, database) => {
    expect(await database(hostWith(OPEN_ISCSI_2_1_11)).root()).toBe('/var/lib/iscsi');
  });

  test('locateDatabase() fails with the option to set where iscsiadm gives none, and retries', async () => {
    const host = hostWith(OPEN_ISCSI_2_1_8);
    host.tree.write(ISCSIADM, SCRIPT);
    const database = silent(host);
    await expect(database.root()).rejects.toMatchObject({
      code: 'DATABASE_FAILED',
      hint: expect.stringContaining('set database_root to the folder') as unknown,
    });
    host.tree.write(ISCSIADM, hostWith(OPEN_ISCSI_2_1_11).tree.read(ISCSIADM) ?? '');
    expect(await database.root()).toBe('/var/lib/iscsi');
  });

  test('locateDatabase() takes the root from the option, and the lock folder from the program', async () => {
    const host = hostWith(OPEN_ISCSI_2_1_8);
    expect(await fakeDatabase(host, { databaseRoot: '/srv/iscsi' }).location()).toEqual({
      root: '/srv/iscsi',
      lockFolder: '/run/lock/iscsi',
      proof: { kind: 'option' },
    });
    host.tree.remove(ISCSIADM);
    expect(await fakeDatabase(host, { databaseRoot: '/srv/iscsi' }).root()).toBe('/srv/iscsi');
  });

  test('locateDatabase() reports a missing iscsiadm', async () => {
    const host = hostWith(OPEN_ISCSI_2_1_8);
    host.tree.remove(ISCSIADM);
    await expect(fakeDatabase(host).root()).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND' });
  });
});

test('OpenIscsiDatabase.location() is found once for all callers, and anew after forget()', async () => {
  const host = hostWith(OPEN_ISCSI_2_1_8);
  let reads = 0;
  const readBytes = host.readBytes.bind(host);
  host.readBytes = async (path) => {
    reads += 1;
    return await readBytes(path);
  };
  const database = fakeDatabase(host);
  await Promise.all(Array.from({ length: 20 }, async () => await database.root()));
  await database.root();
  expect(reads).toBe(1);
  database.forget();
  await database.root();
  expect(reads).toBe(2);
});

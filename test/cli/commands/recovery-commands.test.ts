import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { run } from '../../../src/cli/run.js';
import { type FakeWorld, openFakeWorld } from '../../fakes/fake-world.js';

async function command(
  { container }: FakeWorld,
  ...args: readonly string[]
): Promise<{ readonly status: number; readonly stdout: string }> {
  const stdout: string[] = [];
  const io = {
    stdout: { write: (text: string) => stdout.push(text) },
    stderr: { write: () => true },
    stdin: Readable.from([]),
    env: {},
    isTTY: false,
    signals: new EventEmitter(),
  };
  const status = await run(args, io, () => container);
  return { status, stdout: stdout.join('') };
}

async function openConnected(): Promise<FakeWorld> {
  const world = openFakeWorld();
  for (const { connectionInfo } of await world.publish(1)) await world.driver.connect(connectionInfo);
  return openFakeWorld({}, 'iscsi', world);
}

test('status prints each volume as a tree', async () => {
  const { status, stdout } = await command(await openConnected(), 'status');
  expect({ status, lines: stdout.trimEnd().split('\n') }).toEqual({
    status: 0,
    lines: [
      expect.stringMatching(/^00000000-0000-4000-8000-\d{12} {2}\w+ {2}connected$/) as unknown,
      '└─ iqn.2026-11.org.example:target-1 LUN 0 at 192.0.2.10:3260, iface default: ' +
        'session 1 LOGGED_IN over tcp, /dev/sda',
    ],
  });
});

test('status --json prints one document; of a host without volumes it says so', async () => {
  const { stdout } = await command(await openConnected(), 'status', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ volumes: [{ state: 'connected', map: null, guests: [] }], leftovers: [] });
  expect((await command(openFakeWorld(), 'status')).stdout).toBe('No volume of this library is on this host\n');
});

test('reconcile --dry-run says what it would do; reconcile does it, and then has nothing to do', async () => {
  const world = await openConnected();
  const again = (): FakeWorld => openFakeWorld({}, 'iscsi', world);
  expect((await command(world, 'reconcile', '--dry-run')).stdout).toMatch(/^would remove {2}volume {2}00000000-/);
  expect(world.host.kernel.sessions).toHaveLength(1);
  const { status, stdout } = await command(again(), 'reconcile', '--json');
  expect({ status, ...(JSON.parse(stdout) as object) }).toMatchObject({
    status: 0,
    items: [{ kind: 'volume', action: 'remove', outcome: 'done', error: null }],
  });
  expect((await command(again(), 'reconcile')).stdout).toBe('Nothing to do\n');
  expect(await world.residue()).toEqual([]);
});

import { describe, expect, test } from '@jest/globals';
import { errorChain } from '../../src/base/error-chain.js';
import { VolumeError } from '../../src/base/volume-error.js';
import { formatPortal, parsePortal } from '../../src/connection/portal.js';
import type { Clock } from '../../src/host/clock.js';
import { ISER_IFACE, parseIfaceName } from '../../src/iface/iface-name.js';
import { TransportFailureCache, FAILURES_FILE, RETRY_AFTER_MS } from '../../src/preflight/transport-failure-cache.js';
import { formatFailures, parseFailures, TRANSPORT_FAILURES } from '../../src/preflight/transport-failure.js';
import { RecordedLog } from '../driver/recorded-world.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { FakeHost } from '../fakes/fake-host.js';
import { FakeLocks } from '../fakes/fake-locks.js';

import fc from 'fast-check';

const PATH = `/var/lib/libvirt-volume/${FAILURES_FILE}`;
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const CARD = parseIfaceName('cxgb4i.00:07:43:12:34:56');
const V4 = parsePortal('192.0.2.10:3260');
const V6 = parsePortal('[2001:db8::1]:3260');
const SIGNAL = new AbortController().signal;

const unreachable = (): VolumeError =>
  new VolumeError('PORTAL_UNREACHABLE', 'Cannot log in', { cause: new Error('no route to host'), hint: 'ping it' });

interface Boot {
  readonly host: FakeHost;
  readonly locks: FakeLocks;
  readonly clock: FakeClock;
}

function openBoot(): Boot {
  const clock = new FakeClock();
  return { host: new FakeHost({ clock }), locks: new FakeLocks(), clock };
}

/** Another process of that boot. */
function startProcess(
  { host, locks, clock }: Boot,
  other: { readonly clock?: Clock; readonly log?: RecordedLog } = {},
): TransportFailureCache {
  return new TransportFailureCache({
    files: host,
    locks,
    clock: other.clock ?? clock,
    logger: other.log ?? new RecordedLog(),
    options: { stateDirectory: '/var/lib/libvirt-volume' },
  });
}

describe('TransportFailureCache', () => {
  test('TransportFailureCache gives another process what failed, why, and when to retry', async () => {
    const boot = openBoot();
    await startProcess(boot).remember(ISER_IFACE, V4, unreachable());
    await boot.clock.sleep(60_000, SIGNAL);
    const error = await startProcess(boot).recall(ISER_IFACE, V4);
    expect(error).toMatchObject({
      code: 'PORTAL_UNREACHABLE',
      hint: 'ping it',
      details: { iface: 'iser', portal: '192.0.2.10:3260', retryInMs: RETRY_AFTER_MS - 60_000 },
    });
    expect(errorChain(error)).toBe(
      'The iface iser failed at 192.0.2.10:3260 and is tried again in 240 s: Cannot log in: no route to host',
    );
  });

  test('TransportFailureCache keeps a failure for its iface and portal only, an IPv6 one as well', async () => {
    const boot = openBoot();
    await startProcess(boot).remember(CARD, V6, unreachable());
    const next = startProcess(boot);
    expect(await next.recall(CARD, parsePortal('[2001:DB8:0::1]:3260,7'))).toMatchObject({
      details: { portal: '[2001:db8::1]:3260' },
    });
    expect([
      await next.recall(ISER_IFACE, V6),
      await next.recall(CARD, V4),
      await next.recall(CARD, { ...V6, port: 3261 }),
    ]).toEqual([undefined, undefined, undefined]);
  });

  test('TransportFailureCache allows a retry after RETRY_AFTER_MS, and drops what failed', async () => {
    const boot = openBoot();
    const first = startProcess(boot);
    await first.remember(ISER_IFACE, V4, unreachable());
    await boot.clock.sleep(RETRY_AFTER_MS - 1, SIGNAL);
    expect(await startProcess(boot).recall(ISER_IFACE, V4)).toBeDefined();
    await boot.clock.sleep(1, SIGNAL);
    expect([await first.recall(ISER_IFACE, V4), await startProcess(boot).recall(ISER_IFACE, V4)]).toEqual([
      undefined,
      undefined,
    ]);
    await first.remember(CARD, V6, unreachable());
    expect(parseFailures(boot.host.tree.read(PATH) ?? '').failures.map(({ iface }) => iface)).toEqual([CARD]);
  });

  test('TransportFailureCache restarts the delay when a failure comes again', async () => {
    const boot = openBoot();
    const process = startProcess(boot);
    await process.remember(ISER_IFACE, V4, unreachable());
    await boot.clock.sleep(RETRY_AFTER_MS - 1, SIGNAL);
    await process.remember(ISER_IFACE, V4, new VolumeError('TRANSPORT_MISMATCH', 'Over tcp'));
    expect(await startProcess(boot).list()).toEqual([
      { iface: 'iser', portal: V4, code: 'TRANSPORT_MISMATCH', reason: 'Over tcp', retryInMs: RETRY_AFTER_MS },
    ]);
  });

  test('TransportFailureCache forgets everything with a reboot, without a message', async () => {
    const boot = openBoot();
    const log = new RecordedLog();
    await startProcess(boot).remember(ISER_IFACE, V4, unreachable());
    boot.host.tree.write(BOOT_ID, '00000000-0000-4000-8000-000000000002\n');
    const after = startProcess(boot, { clock: new FakeClock(), log });
    expect({ recalled: await after.recall(ISER_IFACE, V4), list: await after.list(), lines: log.lines }).toEqual({
      recalled: undefined,
      list: [],
      lines: [],
    });
  });

  test('TransportFailureCache ignores a failure of the future, by another clock', async () => {
    const boot = openBoot();
    await boot.clock.sleep(1_000_000, SIGNAL);
    await startProcess(boot).remember(ISER_IFACE, V4, unreachable());
    const behind = startProcess(boot, { clock: new FakeClock() });
    expect({ recalled: await behind.recall(ISER_IFACE, V4), list: await behind.list() }).toEqual({
      recalled: undefined,
      list: [],
    });
  });

  test('TransportFailureCache lists what is not tried, the soonest first', async () => {
    const boot = openBoot();
    await startProcess(boot).remember(ISER_IFACE, V4, unreachable());
    await boot.clock.sleep(10_000, SIGNAL);
    await startProcess(boot).remember(CARD, V6, new VolumeError('TRANSPORT_UNAVAILABLE', 'No driver'));
    expect(await startProcess(boot).list()).toEqual([
      {
        iface: 'iser',
        portal: V4,
        code: 'PORTAL_UNREACHABLE',
        reason: 'Cannot log in: no route to host',
        retryInMs: RETRY_AFTER_MS - 10_000,
      },
      { iface: CARD, portal: V6, code: 'TRANSPORT_UNAVAILABLE', reason: 'No driver', retryInMs: RETRY_AFTER_MS },
    ]);
  });

  test('TransportFailureCache loses nothing of processes that write at once', async () => {
    const boot = openBoot();
    const portals = Array.from({ length: 20 }, (_unused, index) => parsePortal(`192.0.2.${index + 1}`));
    await Promise.all(
      portals.map(async (portal) => {
        await startProcess(boot).remember(ISER_IFACE, portal, unreachable());
      }),
    );
    expect(await startProcess(boot).list()).toHaveLength(portals.length);
  });

  test('TransportFailureCache keeps the newest 256, and bounds each reason', async () => {
    const boot = openBoot();
    const process = startProcess(boot);
    for (let port = 1; port <= 260; port++)
      await process.remember(ISER_IFACE, { ...V4, port }, new VolumeError('PORTAL_UNREACHABLE', 'x'.repeat(3_000)));
    const list = await startProcess(boot).list();
    expect({
      count: list.length,
      first: list[0]?.portal.port,
      longest: Math.max(...list.map(({ reason }) => reason.length)),
    }).toEqual({ count: 256, first: 5, longest: 2000 });
  });

  test("TransportFailureCache keeps no failure that is not the transport's own", async () => {
    const boot = openBoot();
    const process = startProcess(boot);
    await process.remember(ISER_IFACE, V4, new VolumeError('LOGIN_AUTH_FAILED', 'Wrong password'));
    expect({ list: await process.list(), file: boot.host.tree.read(PATH) }).toEqual({ list: [], file: undefined });
  });

  const broken: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['half of it', formatFailures({ bootId: 'b', failures: [] }).slice(0, 30)],
    ['a list', '[]'],
    ['null', 'null'],
    ['a newer version', '{"version":2,"bootId":"b","failures":[]}'],
    ['no boot', '{"version":1,"failures":[]}'],
    ['no failures', '{"version":1,"bootId":"b"}'],
    [
      'a code that would fail the attach',
      '{"version":1,"bootId":"b","failures":[{"iface":"iser","portal":"192.0.2.10:3260","code":"LOGIN_AUTH_FAILED",' +
        '"reason":"r","failedAt":0}]}',
    ],
    [
      'an iface that is a path',
      '{"version":1,"bootId":"b","failures":[{"iface":"../iser","portal":"192.0.2.10:3260","code":' +
        '"PORTAL_UNREACHABLE","reason":"r","failedAt":0}]}',
    ],
    [
      'a portal that is none',
      '{"version":1,"bootId":"b","failures":[{"iface":"iser","portal":"192.0.2.999","code":"PORTAL_UNREACHABLE",' +
        '"reason":"r","failedAt":0}]}',
    ],
    [
      'a time that is none',
      '{"version":1,"bootId":"b","failures":[{"iface":"iser","portal":"192.0.2.10:3260","code":"PORTAL_UNREACHABLE",' +
        '"reason":"r","failedAt":"1"}]}',
    ],
    [
      'a reason that is none',
      '{"version":1,"bootId":"b","failures":[{"iface":"iser","portal":"192.0.2.10:3260","code":"PORTAL_UNREACHABLE",' +
        '"reason":{},"failedAt":1}]}',
    ],
    [
      'a hint that is none',
      '{"version":1,"bootId":"b","failures":[{"iface":"iser","portal":"192.0.2.10:3260","code":"PORTAL_UNREACHABLE",' +
        '"reason":"r","hint":1,"failedAt":1}]}',
    ],
  ];
  test.each(broken)(
    'TransportFailureCache ignores a file of %s, logs it once, and rewrites it',
    async (_what, text) => {
      const boot = openBoot();
      const log = new RecordedLog();
      boot.host.tree.write(PATH, text);
      const process = startProcess(boot, { log });
      expect([
        await process.recall(ISER_IFACE, V4),
        await process.recall(ISER_IFACE, V4),
        await process.list(),
      ]).toEqual([undefined, undefined, []]);
      expect(log.lines).toEqual([
        {
          level: 'warn',
          message: 'Cannot use the file of failed transports',
          fields: { path: PATH, reason: expect.any(String) as unknown },
        },
      ]);
      await process.remember(ISER_IFACE, V4, unreachable());
      expect(await startProcess(boot).recall(ISER_IFACE, V4)).toMatchObject({ code: 'PORTAL_UNREACHABLE' });
    },
  );

  test.each([
    [
      'may not be written',
      (boot: Boot) => {
        boot.host.replace = () => Promise.reject(new VolumeError('PERMISSION_DENIED', 'Cannot use it'));
      },
    ],
    [
      'is on a full disk',
      (boot: Boot) => {
        boot.host.replace = () => Promise.reject(new Error('ENOSPC: no space left on device'));
      },
    ],
    [
      'cannot be made',
      (boot: Boot) => {
        boot.host.makeDirectory = () => Promise.reject(new Error('ENOTDIR: not a directory'));
      },
    ],
    [
      'cannot be locked',
      (boot: Boot) => {
        boot.locks.hold = () => Promise.reject(new VolumeError('LOCK_TIMED_OUT', 'Cannot lock it'));
      },
    ],
    [
      'may not be read',
      (boot: Boot) => {
        boot.host.readText = () => Promise.reject(new VolumeError('PERMISSION_DENIED', 'Cannot use it'));
      },
    ],
    [
      'is of no known boot',
      (boot: Boot) => {
        boot.host.tree.remove(BOOT_ID);
      },
    ],
  ])('TransportFailureCache stays in memory where the state directory %s, and logs that once', async (_what, spoil) => {
    const boot = openBoot();
    const log = new RecordedLog();
    spoil(boot);
    const process = startProcess(boot, { log });
    for (const portal of [V4, V6]) await process.remember(ISER_IFACE, portal, unreachable());
    expect(await process.recall(ISER_IFACE, V4)).toMatchObject({ code: 'PORTAL_UNREACHABLE' });
    expect(
      log.lines.filter(({ message }) => message === 'Cannot keep a failed transport for other processes'),
    ).toHaveLength(1);
    expect(await startProcess(boot).recall(ISER_IFACE, V4)).toBeUndefined();
    await boot.clock.sleep(RETRY_AFTER_MS, SIGNAL);
    expect(await process.list()).toEqual([]);
  });

  test('TransportFailureCache uses the latest failure, of process or file, once it can write', async () => {
    const boot = openBoot();
    const process = startProcess(boot);
    const replace = boot.host.replace.bind(boot.host);
    boot.host.replace = () => Promise.reject(new Error('EROFS'));
    await process.remember(ISER_IFACE, V4, unreachable());
    boot.host.replace = replace;
    await boot.clock.sleep(10_000, SIGNAL);
    await process.remember(ISER_IFACE, V4, new VolumeError('TRANSPORT_MISMATCH', 'Over tcp'));
    expect(await process.list()).toMatchObject([{ code: 'TRANSPORT_MISMATCH', retryInMs: RETRY_AFTER_MS }]);
  });
});

test('parseFailures() reads what formatFailures() writes of anything', () => {
  const ifaceName = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_:-]{0,62}$/).map(parseIfaceName);
  const portal = fc
    .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65_535 }))
    .map(([address, port]) => parsePortal(formatPortal({ address, port })));
  const failure = fc.record({
    iface: ifaceName,
    portal,
    code: fc.constantFrom(...TRANSPORT_FAILURES),
    reason: fc.string({ unit: 'binary' }),
    hint: fc.option(fc.string(), { nil: undefined }),
    failedAt: fc.double({ min: 0, max: 1e12, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.uuid(), fc.array(failure), (bootId, failures) => {
      expect(parseFailures(formatFailures({ bootId, failures }))).toEqual({ bootId, failures });
    }),
  );
});

import { expect, test } from '@jest/globals';
import { SILENT } from '../../src/base/logger.js';
import { parseLun } from '../../src/connection/lun.js';
import { scanUnit } from '../../src/device/scan-unit.js';
import { KernelWrites } from '../../src/host/kernel-writes.js';
import type { Session } from '../../src/initiator/session.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { FakeHost } from '../fakes/fake-host.js';
import { madeSession, showUnit } from './made-session.js';

const SIGNAL = new AbortController().signal;

/** A host that keeps what is written to an attribute. */
class ScannedHost extends FakeHost {
  readonly written: string[] = [];

  constructor() {
    super({ clock: new FakeClock() });
  }

  override async writeAttribute(path: string, text: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.written.push(`${path} ${text}`);
  }

  /** `target_id`, as scsi_transport_iscsi shows it. */
  giveTarget({ id }: Session, targetId: string): void {
    this.tree.write(`/sys/class/iscsi_session/session${id}/target_id`, `${targetId}\n`);
  }
}

function partsOf(host: ScannedHost): Parameters<typeof scanUnit>[2] {
  return { files: host, writes: new KernelWrites({ files: host, clock: host.clock, logger: SILENT }) };
}

test('scanUnit() looks at one channel, target and LUN of the host of the session', async () => {
  const host = new ScannedHost();
  const session = madeSession({ id: 7, host: 3 });
  host.giveTarget(session, '0');
  await scanUnit(session, parseLun(12), partsOf(host), SIGNAL);
  expect(host.written).toEqual(['/sys/class/scsi_host/host3/scan 0 0 12']);
});
test('scanUnit() goes by target_id before any unit was seen', async () => {
  const host = new ScannedHost();
  const session = madeSession({ id: 7, host: 3 });
  host.giveTarget(session, '5');
  await scanUnit(session, parseLun(1), partsOf(host), SIGNAL);
  expect(host.written).toEqual(['/sys/class/scsi_host/host3/scan 0 5 1']);
});
test('scanUnit() goes by where the kernel put a unit of the session', async () => {
  const host = new ScannedHost();
  const session = madeSession({ id: 7, host: 3 });
  host.giveTarget(session, '5');
  showUnit(host.tree, session, { address: '3:2:4:0', name: 'sda' });
  await scanUnit(session, parseLun(1), partsOf(host), SIGNAL);
  expect(host.written).toEqual(['/sys/class/scsi_host/host3/scan 2 4 1']);
});
test('scanUnit() over an HBA, whose host carries many sessions, looks at the target of its own', async () => {
  const host = new ScannedHost();
  const sessions = [1, 2, 12].map((id) => madeSession({ id, host: 3 }));
  for (const [index, session] of sessions.entries()) {
    host.giveTarget(session, String(index));
    if (index !== 1) showUnit(host.tree, session, { address: `3:0:${index}:0`, name: `sd${'abc'[index] ?? ''}` });
  }
  for (const session of sessions) await scanUnit(session, parseLun(1), partsOf(host), SIGNAL);
  expect(host.written).toEqual(['0 0 1', '0 1 1', '0 2 1'].map((place) => `/sys/class/scsi_host/host3/scan ${place}`));
});
test.each(['-1', '- - -', '', undefined])(
  'scanUnit() never writes a wildcard, with a target_id of %j',
  async (targetId) => {
    const host = new ScannedHost();
    const session = madeSession({ id: 7, host: 3 });
    if (targetId !== undefined) host.giveTarget(session, targetId);
    await scanUnit(session, parseLun(0), partsOf(host), SIGNAL);
    expect(host.written).toEqual(['/sys/class/scsi_host/host3/scan 0 0 0']);
  },
);
test('scanUnit() scans nothing once the signal has aborted', async () => {
  const host = new ScannedHost();
  await expect(
    scanUnit(madeSession({ id: 7, host: 3 }), parseLun(0), partsOf(host), AbortSignal.abort()),
  ).rejects.toThrow();
  expect(host.written).toEqual([]);
});

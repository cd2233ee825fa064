// needs: libvirt
// takes: 420 s
// limit: 900 s
import assert from 'node:assert/strict';
import { unlinkSync, writeFileSync } from 'node:fs';
import { connectionInfo } from '../machine/connection-info.js';
import { documentOf, libvirtVolume, type Outcome } from '../machine/libvirt-volume.js';
import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { startMultipathd, stopMultipathd } from '../machine/services.js';

/** The command line, killed as it connects or disconnects; then `reconcile`, and nothing is left. */
const IQN = 'iqn.2026-11.org.example:killed';
const INFO = '/run/killed.json';
const FOUR_CONFIG = '/run/killed-four.toml';
const ISER_CONFIG = '/run/killed-iser.toml';
/** How far into a call, as parts of the time that it takes when it is let be: the command line loads for a third. */
const MANY = [0.3, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95];
const SOME = [0.5, 0.7, 0.9];

let volume: LioVolume;
let target: LioTarget;

before(async () => {
  volume = await LioVolume.create({ name: 'killed' });
  target = new LioTarget({
    iqn: IQN,
    luns: { 1: volume },
    portals: [...TCP_ADDRESSES.map((address) => ({ address })), { address: ISER_ADDRESS, iser: true }],
  });
  writeFileSync(FOUR_CONFIG, '[libvirt]\nvolume_use_multipath = true\n');
  writeFileSync(ISER_CONFIG, '[libvirt]\niscsi_iface = "iser"\n');
});

after(async () => {
  for (const file of [INFO, FOUR_CONFIG, ISER_CONFIG]) unlinkSync(file);
  target.remove();
  await volume.remove();
});

async function command(args: readonly string[], killAfterMs?: number): Promise<Outcome> {
  return await libvirtVolume(args, {
    started: (child) => {
      if (killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    },
  });
}

async function done(args: readonly string[]): Promise<Outcome> {
  const outcome = await command(args);
  assert.equal(outcome.status, 0, `${args.join(' ')}: ${outcome.stdout}${outcome.stderr}`);
  return outcome;
}

async function requireReconciled(config: readonly string[]): Promise<readonly string[]> {
  const { items } = documentOf(await done(['reconcile', '--json', ...config])) as {
    readonly items: readonly { readonly kind: string; readonly outcome: string }[];
  };
  assert.deepEqual(
    items.filter(({ outcome }) => outcome === 'failed'),
    [],
  );
  return items.map(({ kind, outcome }) => `${kind} ${outcome}`);
}

for (const { what, addresses, config, parts } of [
  { what: 'one path over tcp', addresses: [TCP_ADDRESSES[0]], config: [], parts: MANY },
  { what: 'one path over iser', addresses: [ISER_ADDRESS], config: ['--config', ISER_CONFIG], parts: SOME },
  { what: 'four paths', addresses: TCP_ADDRESSES, config: ['--config', FOUR_CONFIG], parts: SOME },
] as const)
  test(`reconcile leaves nothing of ${what} after connect and disconnect were killed at many moments`, async () => {
    const isMapped = addresses.length > 1;
    if (isMapped) await startMultipathd();
    const clean = await readResidue();
    const ends: string[] = [];
    try {
      writeFileSync(INFO, JSON.stringify(connectionInfo(volume, target, 1, addresses)));
      const connect = ['connect', '--connection-info', INFO, ...config];
      const disconnect = ['disconnect', '--connection-info', INFO, ...config];
      const [coming, going] = [(await done(connect)).ms, (await done(disconnect)).ms];
      for (const part of parts) {
        await command(connect, coming * part);
        ends.push(`connect ${part}: ${(await requireReconciled(config)).join(', ') || 'nothing'}`);
        await requireNothingLeft(clean);
        await done(connect);
        await command(disconnect, going * part);
        ends.push(`disconnect ${part}: ${(await requireReconciled(config)).join(', ') || 'nothing'}`);
        await requireNothingLeft(clean);
      }
    } finally {
      console.log(`${what}:\n${ends.join('\n')}`);
      if (isMapped) await stopMultipathd();
    }
  });

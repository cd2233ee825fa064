// takes: 22 s
// limit: 900 s
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tryRun } from '../machine/commands.js';
import { connectionInfo } from '../machine/connection-info.js';
import { ISER_ADDRESS, LioTarget } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { OFFLOAD_IFACE, OffloadStandIn } from '../machine/offload-stand-in.js';
import { after, before, test } from '../machine/scenario.js';
import { volumeDriver } from '../machine/volume-driver.js';

/**
 * The same attach over the same offload transport, by OpenStack's os-brick and by this driver: one never returns, one
 * does.
 */
const IQN = 'iqn.2026-11.org.example:versus';
/** os-brick is given this time, and more on a slow host, until it has run that many commands. */
const OS_BRICK_MS = 25_000;
const OS_BRICK_CALLS = 20;
const OS_BRICK_LONGEST_MS = 240_000;
const CALLS = '/run/lab/iscsiadm-calls';
const OS_BRICK = `
import json, sys
from os_brick import executor
from os_brick.initiator.connectors.iscsi import ISCSIConnector
import os_brick
from oslo_config import cfg
os_brick.setup(cfg.CONF)
cfg.CONF([], project='lab')
cfg.CONF.set_override('lock_path', '/run/lab', group='oslo_concurrency')
from oslo_concurrency import processutils
def execute(*args, **kwargs):
    kwargs.pop('run_as_root', None); kwargs.pop('root_helper', None)
    return processutils.execute(*args, **kwargs)
connector = ISCSIConnector(None, execute=execute, transport='${OFFLOAD_IFACE}')
connector._execute = connector._linuxscsi._execute = execute
print(connector.connect_volume(json.load(sys.stdin)), flush=True)
`;
let standIn: OffloadStandIn | undefined;

before(async () => {
  standIn = await OffloadStandIn.install();
});
after(async () => {
  await standIn?.[Symbol.asyncDispose]();
});

test('attach() succeeds in the time after which os-brick is still inside connect_volume', async () => {
  await using volume = await LioVolume.create({ name: 'versus' });
  using target = new LioTarget({ iqn: IQN, luns: { 1: volume }, portals: [{ address: ISER_ADDRESS, iser: true }] });
  const connection = connectionInfo(volume, target, 1, [ISER_ADDRESS]) as { readonly data: object };

  const counter = await countIscsiadm();
  const enough = new AbortController();
  const began = performance.now();
  const watch = setInterval(() => {
    if (performance.now() - began > OS_BRICK_MS && counter.calls() > OS_BRICK_CALLS) enough.abort();
  }, 500);
  const outcome = await tryRun('python3', ['-c', OS_BRICK], {
    input: JSON.stringify(connection.data),
    timeoutMs: OS_BRICK_LONGEST_MS,
    signal: enough.signal,
  });
  clearInterval(watch);
  const calls = counter.stop();
  const end = outcome.code === 124 ? 'still inside connect_volume' : `ended with ${outcome.code}: ${outcome.stderr}`;
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`os-brick: after ${seconds} s and ${calls} iscsiadm commands ${end.slice(0, 2000)}`);
  await tryRun('iscsiadm', ['-m', 'node', '-T', IQN, '-p', `${ISER_ADDRESS}:3260`, '-I', OFFLOAD_IFACE, '--logout']);
  await tryRun('iscsiadm', [
    '-m',
    'node',
    '-T',
    IQN,
    '-p',
    `${ISER_ADDRESS}:3260`,
    '-I',
    OFFLOAD_IFACE,
    '-o',
    'delete',
  ]);
  assert.equal(outcome.code, 124, 'os-brick returned');
  assert.ok(calls > OS_BRICK_CALLS, `os-brick ran ${calls} commands`);

  await using driver = volumeDriver({ iscsi_iface: OFFLOAD_IFACE, iscsi_iface_fallback: 'none' });
  const started = performance.now();
  const { device, paths } = await driver.connect(connection);
  console.log(
    `libvirt-volume-drivers: ${device.path} over ${paths[0].transport} after ` +
      `${((performance.now() - started) / 1000).toFixed(2)} s`,
  );
  assert.equal(paths[0].transport, 'ocs');
  await driver.disconnect(connection);
});

/** Puts a program in iscsiadm's place that notes each call and runs the true one. */
async function countIscsiadm(): Promise<{ calls(): number; stop(): number }> {
  const program = '/usr/sbin/iscsiadm';
  writeFileSync(CALLS, '');
  renameSync(program, `${program}.counted`);
  writeFileSync(program, `#!/bin/sh\necho "$*" >> ${CALLS}\nexec ${program}.counted "$@"\n`);
  chmodSync(program, 0o755);
  const calls = (): number => readFileSync(CALLS, 'utf8').split('\n').length - 1;
  return {
    calls,
    stop: () => {
      renameSync(`${program}.counted`, program);
      const all = calls();
      rmSync(CALLS);
      return all;
    },
  };
}

// limit: 900 s
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { isVolumeError } from '../../src/index.js';
import { AdministratorsRecords } from '../machine/administrators-records.js';
import { run } from '../machine/commands.js';
import { connectionInfo } from '../machine/connection-info.js';
import { ISER_ADDRESS, LioTarget, type LioTargetOptions } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { compareResidue, readResidue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { volumeDriver } from '../machine/volume-driver.js';

/** What may make iSER give way to TCP, and what must not. */
const IQN = 'iqn.2026-11.org.example:iser-falls-back';
const CONFIG = { iscsi_iface: 'iser', login_timeout_seconds: 5 };
const PORTAL = { address: ISER_ADDRESS };
let volume: LioVolume;

before(async () => {
  volume = await LioVolume.create({ name: 'iser-falls-back' });
});
after(async () => {
  await volume.remove();
});

function open(options: Omit<LioTargetOptions, 'iqn' | 'luns'>): LioTarget {
  return new LioTarget({ iqn: IQN, luns: { 1: volume }, ...options });
}

test('connect() falls back to TCP from a portal without iSER, and the next process does not retry iSER', async () => {
  using target = open({ portals: [PORTAL] });
  const info = connectionInfo(volume, target, 1, [ISER_ADDRESS]);
  const before = await readResidue();
  for (const logins of [['iser', 'default'], ['default']]) {
    await using driver = volumeDriver(CONFIG); // one of its own: the memory is in state_directory
    const begin = performance.now();
    const {
      paths: [path],
      transport,
      warnings,
    } = await driver.connect(info);
    console.log(
      `${logins.join(', then ')}: ${Math.round(performance.now() - begin)} ms: ${transport.fallback?.reason ?? ''}`,
    );
    assert.deepEqual(
      [path.iface, path.transport, transport.requested, transport.used, transport.fallback?.code],
      ['default', 'tcp', 'iser', 'default', 'PORTAL_UNREACHABLE'],
    );
    assert.match(warnings.join(), /^default is used and not iser: /);
    assert.deepEqual(driver.commands.logins, logins);
    await driver.disconnect(info);
  }
  rmSync('/var/lib/libvirt-volume/failed-transports.json');
  await requireNothingLeft(before);
});

test('connect() skips an RDMA port that is down without a login, and uses it again once it is up', async () => {
  using target = open({ portals: [{ ...PORTAL, iser: true }] });
  await using driver = volumeDriver(CONFIG);
  const info = connectionInfo(volume, target, 1, [ISER_ADDRESS]);
  const before = await readResidue();
  await run('ip', ['link', 'set', 'rdma1', 'down']);
  try {
    const {
      paths: [path],
      transport,
    } = await driver.connect(info);
    console.log(JSON.stringify(transport));
    assert.deepEqual(
      [path.iface, path.transport, transport.fallback],
      [
        'default',
        'tcp',
        {
          code: 'RDMA_PORT_DOWN',
          reason:
            'Cannot use the iface iser: no RDMA port that could reach it is active: port 1 of rxe0 on rdma0, down',
        },
      ],
    );
  } finally {
    await run('ip', ['link', 'set', 'rdma1', 'up']);
  }
  await driver.disconnect(info);
  await requireNothingLeft(before);
  const {
    paths: [path],
    transport,
  } = await driver.connect(info);
  assert.deepEqual([path.iface, path.transport, transport.fallback], ['iser', 'iser', undefined]);
  assert.deepEqual(driver.commands.logins, ['default', 'iser']);
  await driver.disconnect(info);
  await requireNothingLeft(before);
});

const REFUSALS = {
  'a target that does not let this initiator in': {
    options: { initiators: ['iqn.2026-11.org.example:somebody-else'] },
    data: {},
    codes: ['LOGIN_AUTH_FAILED'],
    logins: ['iser', 'iser,default'],
  },
  'a target that wants another password': {
    options: { chap: { username: 'volumes', password: 'right-secret-1' } },
    data: { auth_method: 'CHAP', auth_username: 'volumes', auth_password: 'wrong-secret-1' },
    codes: ['LOGIN_AUTH_FAILED', 'LOGIN_REFUSED'],
    logins: ['iser'],
  },
} as const;
for (const [what, { options, data, codes, logins: expected }] of Object.entries(REFUSALS)) {
  test(`connect() to ${what} is ${codes.join(' or ')}, with no login tried twice`, async () => {
    using target = open({ portals: [{ ...PORTAL, iser: true }], ...options });
    await using driver = volumeDriver(CONFIG);
    const info = connectionInfo(volume, target, 1, [ISER_ADDRESS]) as { readonly data: object };
    const before = await readResidue();
    const begin = performance.now();
    const outcome = await driver.connect({ ...info, data: { ...info.data, ...data } }).catch((error: unknown) => error);
    const { logins } = driver.commands;
    console.log(
      `${what}: ${Math.round(performance.now() - begin)} ms, ${logins.join(', ')}, ${target.refusedLogins} ` +
        `refused: ${String(outcome)}`,
    );
    assert.ok(isVolumeError(outcome, ...codes), String(outcome));
    // LIO ends the connection right behind its refusal, which soft RoCE may lose with it. Where a secret was given that
    // counts as a refusal; where none was, TCP is asked, and refused.
    assert.ok(
      expected.some((list) => list === logins.join(',')),
      logins.join(','),
    );
    assert.equal(target.refusedLogins, logins.length, 'a login was tried again');
    await requireNothingLeft(before);
  });
}

for (const [what, record] of [
  ['without a tag, with a setting of its own', { settings: { 'node.session.timeo.replacement_timeout': '77' } }],
  ['for logins at boot', { tag: 1, settings: { 'node.startup': 'automatic' } }],
] as const) {
  test(`connect() over iSER leaves a TCP record of the portal (${what}) untouched (W-6)`, async () => {
    using target = open({ portals: [{ ...PORTAL, iser: true }] });
    await using present = await AdministratorsRecords.create(IQN, ISER_ADDRESS, [record]);
    const texts = present.read();
    const before = await readResidue();
    await using driver = volumeDriver(CONFIG);
    const info = connectionInfo(volume, target, 1, [ISER_ADDRESS]);
    const {
      paths: [path],
    } = await driver.connect(info);
    assert.deepEqual([path.iface, path.transport], ['iser', 'iser']);
    assert.deepEqual(present.read(), texts);
    assert.deepEqual(
      compareResidue(before, await readResidue()).filter((line) => line.startsWith('+ session')),
      [`+ session ${IQN} at ${ISER_ADDRESS} over iser`],
    );
    assert.deepEqual(await driver.disconnect(info), { found: true, warnings: [] });
    assert.deepEqual(present.read(), texts);
    await requireNothingLeft(before);
  });
}

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Container } from 'inversify';
import { ComputeService } from '../../examples/compute-service/compute-service.js';
import { logFallbacks } from '../../examples/compute-service/log-fallbacks.js';
import { volumeDriverModule } from '../../src/module.js';
import { TOKENS } from '../../src/tokens.js';
import { type FakeWorld, openFakeWorld } from '../fakes/fake-world.js';
import { FakeVolumeDriver } from '../fakes/fake-volume-driver.js';

const UNREACHABLE = 'iqn.2010-10.org.openstack:volume-9';
const infoOf = (target: string): object => ({
  driver_volume_type: 'iscsi',
  data: {
    target_portal: '192.0.2.1:3260',
    target_iqn: target,
    target_lun: 1,
    auth_method: 'CHAP',
    auth_username: 'u',
    auth_password: 'geheim',
  },
});
const connection_info = infoOf('iqn.2010-10.org.openstack:volume-1');
const ATTACH = { connection_info, disk_info: { dev: 'vdb', bus: 'virtio' } };

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

let service: ComputeService;
let base = '';

const start = async (driver: FakeVolumeDriver, graceMs = 10_000): Promise<void> => {
  const container = new Container();
  container.load(volumeDriverModule({ configFile: 'config/libvirt-volume.toml' }));
  container.rebind(TOKENS.iscsiDriver).toConstantValue(driver);
  service = new ComputeService({ driverFor: container.get(TOKENS.driverFor), graceMs });
  base = `http://127.0.0.1:${await service.listen(0)}`;
};

/** The real driver, with the host and libvirt in memory: every port is bound anew, the driver is not. */
const startOnFakeHost = async (): Promise<FakeWorld> => {
  const world = openFakeWorld();
  world.libvirt.addDomain({ name: 'web1' });
  await service.stop();
  service = new ComputeService({ driverFor: world.container.get(TOKENS.driverFor), graceMs: 10_000 });
  base = `http://127.0.0.1:${await service.listen(0)}`;
  return world;
};

const send = async (method: string, path: string, body?: unknown): Promise<Answer> => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(base + path, { method, ...(body === undefined ? {} : { body: text }) });
  return { status: response.status, body: await response.json() };
};

/** The request has reached the driver, however busy this machine is. */
const untilLoggingIn = async (driver: FakeVolumeDriver): Promise<void> => {
  while (driver.loginsRunning === 0) await new Promise((resolve) => setTimeout(resolve, 5));
};

const errorOf = (code: string): unknown => ({ error: expect.objectContaining({ code }) as unknown });

beforeEach(() => start(new FakeVolumeDriver({ domains: ['web1', 'a guest'], unreachable: [UNREACHABLE] })));
afterEach(() => service.stop());

test('POST attaches a volume and DELETE detaches it', async () => {
  expect(await send('POST', '/domains/web1/volumes', ATTACH)).toEqual({
    status: 201,
    body: {
      device: '/dev/sda',
      disk_xml: expect.stringContaining('<target dev="vdb" bus="virtio"/>') as unknown,
      transport: { requested: 'default', used: 'default' },
      warnings: [],
    },
  });
  expect(await send('DELETE', '/domains/web1/volumes', { connection_info })).toEqual({
    status: 200,
    body: { detached: true, warnings: [] },
  });
  expect(await send('DELETE', '/domains/web1/volumes', { connection_info })).toEqual({
    status: 200,
    body: { detached: false, warnings: [] },
  });
});

test('POST and DELETE take the real driver all the way, from the connection_info to the guest and back', async () => {
  const world = await startOnFakeHost();
  const [volume] = await world.publish(1);
  const attached = await send('POST', '/domains/web1/volumes', {
    connection_info: volume?.connectionInfo,
    disk_info: { dev: 'vdb', bus: 'virtio' },
  });
  expect(attached).toMatchObject({ status: 201, body: { device: '/dev/sda', transport: { used: 'default' } } });
  expect(world.libvirt.disksOf('web1')).toMatchObject([
    { targetDev: 'vdb', sourcePath: expect.stringMatching(/^\/dev\/disk\/by-id\/scsi-36001405/) as unknown },
  ]);
  expect(await send('DELETE', '/domains/web1/volumes', { connection_info: volume?.connectionInfo })).toMatchObject({
    status: 200,
    body: { detached: true },
  });
  expect({ disks: world.libvirt.disksOf('web1'), residue: await world.residue() }).toEqual({ disks: [], residue: [] });
});

test('POST accepts a percent-encoded domain in the path', async () => {
  expect((await send('POST', '/domains/a%20guest/volumes', ATTACH)).status).toBe(201);
});

test.each<[number, string, string, string, unknown]>([
  [404, 'NOT_FOUND', 'POST', '/volumes', ATTACH],
  [405, 'METHOD_NOT_ALLOWED', 'PUT', '/domains/web1/volumes', ATTACH],
  [400, 'USAGE', 'POST', '/domains/web1/volumes', '{"connection_info": {"data": {"auth_password": "geheim"'],
  [400, 'USAGE', 'POST', '/domains/web1/volumes', '[]'],
  [400, 'USAGE', 'POST', '/domains/%2Fetc/volumes', ATTACH],
  [400, 'USAGE', 'POST', '/domains/%zz/volumes', ATTACH],
  [400, 'USAGE', 'POST', '/domains/web1/volumes', ' '.repeat(1_048_577)],
  [400, 'CONNECTION_INFO_INVALID', 'POST', '/domains/web1/volumes', {}],
  [400, 'DRIVER_UNKNOWN', 'POST', '/domains/web1/volumes', { connection_info: { driver_volume_type: 'rbd' } }],
  [
    400,
    'DISK_INFO_INVALID',
    'POST',
    '/domains/web1/volumes',
    { connection_info, disk_info: { dev: 'vdb', bus: 'xen' } },
  ],
  [404, 'DOMAIN_NOT_FOUND', 'POST', '/domains/absent/volumes', ATTACH],
  [502, 'PORTAL_UNREACHABLE', 'POST', '/domains/web1/volumes', { ...ATTACH, connection_info: infoOf(UNREACHABLE) }],
])('service answers %i %s to %s %s', async (status, code, method, path, body) => {
  const answer = await send(method, path, body);
  expect(answer).toEqual({ status, body: errorOf(code) });
  expect(JSON.stringify(answer.body)).not.toContain('geheim');
});

test('logFallbacks() writes a line for each fallback until it is stopped, and counts stand beside', () => {
  const { container } = openFakeWorld();
  const events = container.get(TOKENS.events);
  const lines: string[] = [];
  const stop = logFallbacks(events, (line) => lines.push(line));
  const place = { target: 'iqn.2026-11.org.example:t', portal: '192.0.2.10:3260' };
  const fallback = {
    ...place,
    kind: 'transport-fallback',
    requested: 'iser',
    used: 'default',
    code: 'RDMA_PORT_DOWN',
    reason: 'port 1 is down',
  } as const;
  events.emit({ ...place, kind: 'login-failed', iface: 'iser', code: 'PORTAL_UNREACHABLE' });
  events.emit(fallback);
  stop();
  events.emit(fallback);
  expect(lines).toEqual([
    'A volume of iqn.2026-11.org.example:t comes over default and not over iser: RDMA_PORT_DOWN, port 1 is down',
  ]);
  expect(
    container
      .get(TOKENS.counters)
      .snapshot()
      .map(({ name, samples }) => [name, samples.map(({ value }) => value)]),
  ).toEqual([
    ['libvirt_volume_fallbacks_total', [2]],
    ['libvirt_volume_login_failures_total', [1]],
  ]);
});

test('stop() lets a running request end', async () => {
  await service.stop();
  const driver = new FakeVolumeDriver({ loginMs: 200 });
  await start(driver);
  const answer = send('POST', '/domains/web1/volumes', ATTACH);
  await untilLoggingIn(driver);
  await service.stop();
  expect((await answer).status).toBe(201);
  await expect(send('POST', '/domains/web1/volumes', ATTACH)).rejects.toThrow();
});

test('stop() aborts a request that outlasts the grace period, and leaves nothing connected', async () => {
  await service.stop();
  const driver = new FakeVolumeDriver({ loginMs: 60_000 });
  await start(driver, 10);
  const answer = send('POST', '/domains/web1/volumes', ATTACH);
  await untilLoggingIn(driver);
  await service.stop();
  expect(await answer).toEqual({ status: 503, body: errorOf('ABORTED') });
  expect(await driver.find(connection_info)).toBeUndefined();
});

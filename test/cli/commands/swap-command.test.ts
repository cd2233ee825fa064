import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { FakeVolumeDriver } from '../../fakes/fake-volume-driver.js';
import { cli, VOLUME } from '../cli-fixture.js';

const NEW = {
  ...VOLUME,
  serial: 'volume-2',
  data: { ...VOLUME.data, target_iqn: 'iqn.2010-10.org.openstack:volume-2' },
};
let folder = '';
let from = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swap-'));
  from = join(folder, 'old.json');
  writeFileSync(from, JSON.stringify(VOLUME));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function attached(driver = new FakeVolumeDriver()): Promise<ReturnType<typeof cli>> {
  const command = cli({ driver, stdin: JSON.stringify(NEW) });
  await command(['attach', 'web1', '--connection-info', from, '--dev', 'vdb', '--bus', 'virtio']);
  return command;
}

test('swap prints the volume that the guest has now', async () => {
  const command = await attached();
  const { status, stdout } = await command(['swap', 'web1', '--from', from, '--to', '-', '--json']);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    device: '/dev/sdb',
    domain: 'web1',
    guestResized: false,
    oldReleased: true,
    paths: [{ target: NEW.data.target_iqn }],
    warnings: [],
  });
});

test("swap reports the guest's new volume in text", async () => {
  expect((await (await attached())(['swap', 'web1', '--from', from, '--to', '-'])).stdout).toMatch(
    /^web1 has the new volume\n\/dev\/sdb/,
  );
});

test('swap reports on stderr how much is copied, once it takes its time', async () => {
  const driver = new FakeVolumeDriver();
  const swap = driver.swap.bind(driver);
  driver.swap = async (domain, old, fresh, options) => {
    options?.onProgress?.({ copiedBytes: 1, totalBytes: 3 });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    return await swap(domain, old, fresh, { signal: options?.signal });
  };
  const { stderr } = await (await attached(driver))(['swap', 'web1', '--from', from, '--to', '-', '--json']);
  expect(stderr).toMatch(/^Swapping the volume of web1 … 1 s, 33 % copied$/m);
});

test.each([
  ['without the new volume', ['--from', '-'], /--to/],
  ['with stdin for both', ['--from', '-', '--to', '-'], /only one FILE/],
])('swap %s is refused', async (_what, options, words) => {
  const { status, stderr } = await cli()(['swap', 'web1', ...options]);
  expect([status, words.test(stderr)]).toEqual([2, true]);
});

test('swap of a volume that the guest does not have fails with its code', async () => {
  const { status, stdout } = await cli({ stdin: JSON.stringify(NEW) })([
    'swap',
    'web1',
    '--from',
    from,
    '--to',
    '-',
    '--json',
  ]);
  expect([status, (JSON.parse(stdout) as { error: { code: string } }).error.code]).toEqual([1, 'DEVICE_NOT_FOUND']);
});

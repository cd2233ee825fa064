// needs: libvirt
// limit: 900 s
import assert from 'node:assert/strict';
import { connectionInfo } from '../machine/connection-info.js';
import { Domain } from '../machine/domain.js';
import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { after, test } from '../machine/scenario.js';
import { libvirtdUp } from '../machine/services.js';
import { volumeDriver } from '../machine/volume-driver.js';

/**
 * A volume goes from a storage target into a running guest and back, over TCP and over iSER, and says each step as it
 * is done.
 */
const IQN = 'iqn.2026-11.org.example:demo';
const LUN = 1;
const BLOCK = 4096;
const cleanUps: (() => Promise<void> | void)[] = [];

after(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

test('attach() and detach() of a running guest work over TCP and over iSER', async () => {
  heading('The stage');
  const volume = await step('A volume of 64 MiB on the storage side', () => LioVolume.create({ name: 'demo' }));
  cleanUps.push(() => volume.remove());
  const target = await step(
    `A target that shows it: TCP at ${TCP_ADDRESSES[0]}, iSER at ${ISER_ADDRESS}`,
    () =>
      new LioTarget({
        iqn: IQN,
        luns: { [LUN]: volume },
        portals: [{ address: TCP_ADDRESSES[0] }, { address: ISER_ADDRESS, iser: true }],
      }),
  );
  cleanUps.push(() => {
    target.remove();
  });
  await step('libvirtd answers', libvirtdUp);
  const guest = await step('A running guest, without a disk', () => Domain.start({ name: 'demo' }));
  cleanUps.push(() => guest.stop());
  await show({ iface: 'default', transport: 'tcp', address: TCP_ADDRESSES[0], pattern: 0xa1 }, volume, target, guest);
  await show({ iface: 'iser', transport: 'iser', address: ISER_ADDRESS, pattern: 0xb2 }, volume, target, guest);
});

interface Way {
  readonly iface: string;
  readonly transport: string;
  readonly address: string;
  readonly pattern: number;
}

async function show(
  { iface, transport, address, pattern }: Way,
  volume: LioVolume,
  target: LioTarget,
  guest: Domain,
): Promise<void> {
  heading(`iscsi_iface = "${iface}"`);
  const connection = connectionInfo(volume, target, LUN, [address]);
  const domain = { kind: 'name', name: guest.name } as const;
  await using driver = await step('The driver, out of its container', () =>
    volumeDriver({ iscsi_iface: iface, iscsi_iface_fallback: 'none' }),
  );
  volume.write(0, Buffer.alloc(BLOCK, 0x5a));
  const attached = await step('attach: session, device, guest', () =>
    driver.attach(domain, connection, { dev: 'sdb', bus: 'scsi' }),
  );
  const {
    device,
    paths: [path],
  } = attached.volume;
  assert.equal(path.transport, transport);
  note(`${path.transport} session ${path.session} to ${address}, iface ${path.iface}: ${device.path}`);
  note(attached.diskXml.trim());
  const alias = await aliasOf(guest, 'sdb');
  await step('The guest reads the bytes that the target holds (5a 5a 5a ...)', () =>
    guest.verify(alias, 0x5a, 0, BLOCK),
  );
  await step(`The guest writes ${BLOCK} bytes of ${pattern.toString(16)} through its own device`, () =>
    guest.write(alias, pattern, BLOCK, BLOCK),
  );
  const bytes = await step('The same bytes, read on the target', () => volume.read(BLOCK, BLOCK));
  assert.deepEqual(bytes, Buffer.alloc(BLOCK, pattern));
  note(`${bytes.subarray(0, 16).toString('hex').replaceAll(/../g, '$& ')}...`);
  const released = await step('detach: guest, device, session', () => driver.detach(domain, connection));
  assert.equal(released.found, true);
  assert.deepEqual(await guest.disks(), []);
}

async function aliasOf(guest: Domain, dev: string): Promise<string> {
  const alias = new RegExp(`<target dev='${dev}'[^]*?<alias name='([^']+)'`).exec(await guest.xml())?.[1];
  assert.ok(alias !== undefined, `the guest has no disk ${dev}`);
  return alias;
}

async function step<Result>(what: string, body: () => Promise<Result> | Result): Promise<Result> {
  const begin = performance.now();
  const result = await body();
  process.stdout.write(`  ${what.padEnd(76)}${((performance.now() - begin) / 1000).toFixed(2).padStart(7)} s\n`);
  return result;
}

function heading(text: string): void {
  process.stdout.write(`\n${text}\n`);
}

function note(text: string): void {
  process.stdout.write(
    text
      .split('\n')
      .map((line) => `      ${line}\n`)
      .join(''),
  );
}

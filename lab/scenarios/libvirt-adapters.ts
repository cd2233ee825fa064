// needs: libvirt
// releases: 13 12
// takes: 80 s
// limit: 900 s
import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SILENT } from '../../src/base/logger.js';
import { isVolumeError } from '../../src/base/volume-error.js';
import { ExecaCommandRunner } from '../../src/host/node/execa-command-runner.js';
import { SYSTEM_CLOCK } from '../../src/host/node/system-clock.js';
import { GuestDisks } from '../../src/guest/guest-disks.js';
import type { DeviceRemoved, Libvirt } from '../../src/libvirt/libvirt.js';
import { parseGuestDisks } from '../../src/guest/parse-guest-disks.js';
import { RpcLibvirt } from '../../src/libvirt/rpc/rpc-libvirt.js';
import { VirshLibvirt } from '../../src/libvirt/virsh/virsh-libvirt.js';
import { libvirtContract, rejects } from '../../test/libvirt/libvirt-contract.js';
import { run, tryRun } from '../machine/commands.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, startLibvirtd, virsh } from '../machine/services.js';

/**
 * Both adapters against a real libvirtd with a real QEMU. The guest has no operating system: its SCSI disks leave at
 * once, its virtio disks never.
 */
const URI = 'qemu:///system';
const GUEST = { name: 'adapters', uuid: '5ad4f0a5-31ae-4a3c-8d6e-6f0c3b1a2e01' };
const STOPPED_UUID = '5ad4f0a5-31ae-4a3c-8d6e-6f0c3b1a2e02';
const PCI_PORTS = '<controller type="pci" model="pcie-root-port"/>'.repeat(4);
const HEARD_WITHIN_MS = 10_000;

let folder = '';
let guestNumber = '';

const domainXml = (
  name: string,
  uuid: string,
): string => `<domain type="qemu"><name>${name}</name><uuid>${uuid}</uuid><memory unit="MiB">64</memory><vcpu>1</vcpu>
<os><type arch="x86_64" machine="q35">hvm</type></os><features><acpi/></features>
<metadata><own:disk xmlns:own="urn:example:own"><disk/></own:disk></metadata>
<cpu mode="custom" match="exact" check="none"><model fallback="allow">qemu64</model></cpu>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type="pci" model="pcie-root"/>${PCI_PORTS}
<controller type="scsi" model="virtio-scsi"/><controller type="usb" model="none"/>
<memballoon model="none"/></devices></domain>`;

const diskXml = (targetDev: string, serial: string): string =>
  `<disk type="file" device="disk"><driver name="qemu" type="raw"/><source file="${imageOf(targetDev)}"/><target ` +
  `dev="${targetDev}" bus="${targetDev.startsWith('v') ? 'virtio' : 'scsi'}"/><serial>${serial}</serial></disk>`;

const copyTarget = (name: string): { readonly xml: string; readonly path: string } => ({
  xml: `<disk type="file"><driver type="raw"/><source file="${imageOf(name)}"/></disk>`,
  path: imageOf(name),
});

const imageOf = (targetDev: string): string => join(folder, `${targetDev}.img`);

const adapters: Readonly<Record<'RpcLibvirt' | 'VirshLibvirt', () => Libvirt>> = {
  RpcLibvirt: () => new RpcLibvirt({ uri: URI, logger: SILENT }),
  VirshLibvirt: () =>
    new VirshLibvirt({ uri: URI, runner: new ExecaCommandRunner({ logger: SILENT }), logger: SILENT }),
};

before(async () => {
  await libvirtdUp();
  folder = await mkdtemp('/run/libvirt-adapters-');
  for (const targetDev of ['sdb', 'sdc', 'sdd', 'sde', 'sdf', 'sdg', 'sdh', 'sdi', 'sdj', 'copy', 'vdb', 'vdc']) {
    await writeFile(imageOf(targetDev), '');
    await truncate(imageOf(targetDev), 1_048_576);
  }
  await define(domainXml(GUEST.name, GUEST.uuid));
  await virsh('start', GUEST.name);
  guestNumber = (await virsh('domid', GUEST.name)).trim();
  await define(domainXml(guestNumber, STOPPED_UUID));
});

after(async () => {
  await tryRun('virsh', ['-c', URI, 'destroy', GUEST.uuid]);
  await tryRun('virsh', ['-c', URI, 'undefine', GUEST.uuid]);
  await tryRun('virsh', ['-c', URI, 'undefine', STOPPED_UUID]);
  await rm(folder, { recursive: true, force: true });
});

for (const name of ['RpcLibvirt', 'VirshLibvirt'] as const) {
  libvirtContract(name, { describe, it }, async () => {
    const libvirt = adapters[name]();
    return {
      libvirt,
      guest: GUEST,
      stoppedGuest: { name: guestNumber, uuid: STOPPED_UUID },
      diskXml,
      copyTarget,
      hearsEvents: name === 'RpcLibvirt',
      close: () => libvirt.close(),
    };
  });

  test(`${name}: GuestDisks.detach() of a guest that does not answer is DETACH_UNCONFIRMED`, async () => {
    const libvirt = adapters[name]();
    const targetDev = name === 'RpcLibvirt' ? 'vdb' : 'vdc';
    const signal = AbortSignal.timeout(60_000);
    const ref = { kind: 'name', name: GUEST.name } as const;
    const disks = new GuestDisks({ libvirt, clock: SYSTEM_CLOCK, logger: SILENT, timeoutMs: 7_000 });
    await disks.attach(ref, diskXml(targetDev, 'deaf'), signal);
    await rejects(
      'DETACH_UNCONFIRMED',
      disks.detach(ref, { serial: 'deaf', sourcePaths: [imageOf(targetDev)] }, signal),
    );
    assert.ok(
      (await disks.disks(ref, signal)).some((disk) => disk.targetDev === targetDev),
      'the disk is still reported',
    );
    assert.ok(
      !parseGuestDisks(await libvirt.domainXml(ref, 'config', signal)).some((disk) => disk.targetDev === targetDev),
      'the next start is without it',
    );
    await libvirt.close();
  });
}

test('RpcLibvirt rejects the call under way as the daemon dies, then reconnects and hears events again', async () => {
  const libvirt = adapters.RpcLibvirt();
  const signal = AbortSignal.timeout(60_000);
  const ref = { kind: 'name', name: GUEST.name } as const;
  const heard: DeviceRemoved[] = [];
  await libvirt.onDeviceRemoved((event) => heard.push(event), signal);
  await libvirt.attachDevice(ref, diskXml('sdg', 'restart'), { live: true, config: false }, signal);
  // The daemon waits 5 s for the guest in this call, so it dies in the middle of it.
  const underWay = libvirt
    .detachDevice(ref, diskXml('vdb', 'deaf'), { live: true, config: false }, signal)
    .catch((error: unknown) => error);
  await sleep(300);
  await killDaemon();
  const killed = performance.now();
  assert.ok(isVolumeError(await underWay, 'LIBVIRT_UNAVAILABLE'));
  assert.ok(performance.now() - killed < 1_000, 'the call under way rejects at once');
  await rejects('LIBVIRT_UNAVAILABLE', libvirt.lookupDomain(ref, signal));
  await startLibvirtd();
  assert.equal((await libvirt.lookupDomain(ref, signal)).uuid, GUEST.uuid);
  await libvirt.detachDevice(ref, diskXml('sdg', 'restart'), { live: true, config: false }, signal);
  for (const start = performance.now(); heard.length === 0 && performance.now() - start < HEARD_WITHIN_MS;)
    await sleep(20);
  assert.equal(heard.at(0)?.domainUuid, GUEST.uuid);
  await libvirt.close();
});

async function define(xml: string): Promise<void> {
  const file = join(folder, 'domain.xml');
  await writeFile(file, xml);
  await virsh('define', file);
}

async function killDaemon(): Promise<void> {
  const pids = (await run('pidof', ['libvirtd'])).trim().split(' ');
  for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
  while ((await tryRun('pidof', ['libvirtd'])).code === 0) await sleep(20);
}

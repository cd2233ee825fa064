import assert from 'node:assert/strict';
import { Secret } from '../../src/base/secret.js';
import { VolumeError, type VolumeErrorCode } from '../../src/base/volume-error.js';
import { SILENT } from '../../src/base/logger.js';
import { SYSTEM_CLOCK } from '../../src/host/node/system-clock.js';
import { GuestDisks } from '../../src/guest/guest-disks.js';
import type { DiskMirror, GuestDisk } from '../../src/guest/guest-disk.js';
import type { DeviceRemoved, DomainRef, Libvirt } from '../../src/libvirt/libvirt.js';
import { parseGuestDisks } from '../../src/guest/parse-guest-disks.js';

/** A libvirt to be held to the port's contract, with guests for it to act on. */
export interface LibvirtUnderTest {
  readonly libvirt: Libvirt;
  /** A guest that runs, is persistent, and lets go of a SCSI disk when asked. Its name and UUID. */
  readonly guest: { readonly name: string; readonly uuid: string };
  /**
   * A guest that is defined and does not run. Its name is the number of the running guest: names come before numbers.
   */
  readonly stoppedGuest: { readonly name: string; readonly uuid: string };
  /** A SCSI disk of at least 1 MiB, fit to be attached to the guest at that target. */
  readonly diskXml: (targetDev: string, serial: string) => string;
  /**
   * Another disk of that size to copy to, of that name: as the target of a copy, and the path that a description then
   * shows.
   */
  readonly copyTarget: (name: string) => { readonly xml: string; readonly path: string };
  /** Whether the adapter can hear events. */
  readonly hearsEvents: boolean;
  readonly close: () => Promise<void>;
}

/** The two words of a test framework that the contract needs. */
export interface TestWords {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>) => unknown;
}

/** virsh takes seconds for each call in a machine that is emulated. */
const LIMIT_MS = 120_000;
const MIB = 1_048_576;

/** What every adapter of the port `Libvirt` must do, whatever is behind it. */
export function libvirtContract(
  name: string,
  { describe, it }: TestWords,
  open: () => Promise<LibvirtUnderTest>,
): void {
  const promise = (title: string, body: (subject: LibvirtUnderTest, signal: AbortSignal) => Promise<void>): unknown =>
    it(title, async () => {
      const subject = await open();
      try {
        await body(subject, AbortSignal.timeout(LIMIT_MS));
      } finally {
        await subject.close();
      }
    });
  describe(`${name} keeps the contract of Libvirt`, () => {
    lookups(promise);
    devices(promise);
    copies(promise);
    secrets(promise);
    guestDisks(promise);
  });
}

type Promised = (title: string, body: (subject: LibvirtUnderTest, signal: AbortSignal) => Promise<void>) => unknown;

function lookups(promise: Promised): void {
  promise('lookupDomain() finds a guest by name and by UUID', async ({ libvirt, guest }, signal) => {
    const expected = { ...guest, active: true, persistent: true };
    assert.deepEqual(await libvirt.lookupDomain(byName(guest.name), signal), expected);
    assert.deepEqual(await libvirt.lookupDomain(byUuid(guest.uuid), signal), expected);
  });
  promise('lookupDomain() takes a name of digits for a name', async ({ libvirt, stoppedGuest }, signal) => {
    assert.deepEqual(await libvirt.lookupDomain(byName(stoppedGuest.name), signal), {
      ...stoppedGuest,
      active: false,
      persistent: true,
    });
  });
  promise('lookupDomain() and domainXml() say DOMAIN_NOT_FOUND of an unknown guest', async ({ libvirt }, signal) => {
    for (const unknown of [byName('no-such-guest'), byName('999999'), byUuid('01234567-89ab-4cde-8f01-23456789abcd')]) {
      await rejects('DOMAIN_NOT_FOUND', libvirt.lookupDomain(unknown, signal));
      await rejects('DOMAIN_NOT_FOUND', libvirt.domainXml(unknown, 'live', signal));
    }
  });
  promise('domainXml() describes the guest', async ({ libvirt, guest, stoppedGuest }, signal) => {
    assert.match(await libvirt.domainXml(byName(guest.name), 'live', signal), new RegExp(`<uuid>${guest.uuid}</uuid>`));
    assert.match(
      await libvirt.domainXml(byName(stoppedGuest.name), 'config', signal),
      new RegExp(`<uuid>${stoppedGuest.uuid}</uuid>`),
    );
  });
  promise('listDomains() names every guest, running or not', async ({ libvirt, guest, stoppedGuest }, signal) => {
    const listed = await libvirt.listDomains(signal);
    for (const { name, uuid } of [guest, stoppedGuest])
      assert.deepEqual(
        listed.filter((domain) => domain.uuid === uuid),
        [{ name, uuid }],
      );
  });
  promise('Libvirt answers many calls at once', async ({ libvirt, guest }, signal) => {
    const answers = await Promise.all(
      Array.from({ length: 25 }, () => libvirt.lookupDomain(byName(guest.name), signal)),
    );
    assert.deepEqual(new Set(answers.map(({ uuid }) => uuid)), new Set([guest.uuid]));
  });
  promise('Libvirt rejects with ABORTED when the signal has aborted', async ({ libvirt, guest }) => {
    const signal = AbortSignal.abort();
    await rejects('ABORTED', libvirt.lookupDomain(byName(guest.name), signal));
    await rejects('ABORTED', libvirt.findSecret({ type: 'volume', id: 'any' }, signal));
    await rejects('ABORTED', libvirt.listDomains(signal));
  });
}

function devices(promise: Promised): void {
  promise(
    'attachDevice() and detachDevice() change what the scope says',
    async ({ libvirt, guest, diskXml, hearsEvents }, signal) => {
      const ref = byName(guest.name);
      const heard: DeviceRemoved[] = [];
      const unsubscribe = await libvirt.onDeviceRemoved((event) => heard.push(event), signal);
      await libvirt.attachDevice(ref, diskXml('sdb', 'contract-1'), { live: true, config: false }, signal);
      const attached = await diskAt(libvirt, ref, 'live', 'sdb', signal);
      assert.equal(attached?.serial, 'contract-1');
      assert.equal(await diskAt(libvirt, ref, 'config', 'sdb', signal), undefined);
      await libvirt.detachDevice(ref, attached.xml, { live: true, config: false }, signal);
      await eventually(async () => (await diskAt(libvirt, ref, 'live', 'sdb', signal)) === undefined, signal);
      if (hearsEvents)
        await eventually(
          async () => heard.some(({ alias, domainUuid }) => alias === attached.alias && domainUuid === guest.uuid),
          signal,
        );
      await unsubscribe();
    },
  );
  promise(
    'attachDevice() for the configuration is for a guest that does not run too',
    async ({ libvirt, stoppedGuest, diskXml }, signal) => {
      const ref = byUuid(stoppedGuest.uuid);
      await libvirt.attachDevice(ref, diskXml('sdc', 'contract-2'), { live: false, config: true }, signal);
      const attached = await diskAt(libvirt, ref, 'config', 'sdc', signal);
      assert.equal(attached?.serial, 'contract-2');
      await libvirt.detachDevice(ref, attached.xml, { live: false, config: true }, signal);
      assert.equal(await diskAt(libvirt, ref, 'config', 'sdc', signal), undefined);
    },
  );
  promise(
    'Libvirt refuses a taken target, a disk that is not there, and what is no device',
    async ({ libvirt, guest, diskXml }, signal) => {
      const ref = byName(guest.name);
      await libvirt.attachDevice(ref, diskXml('sdd', 'contract-3'), { live: true, config: false }, signal);
      await rejects(
        'LIBVIRT_REFUSED',
        libvirt.attachDevice(ref, diskXml('sdd', 'contract-4'), { live: true, config: false }, signal),
      );
      await libvirt.detachDevice(ref, diskXml('sdd', 'contract-3'), { live: true, config: false }, signal);
      await eventually(async () => (await diskAt(libvirt, ref, 'live', 'sdd', signal)) === undefined, signal);
      await rejects(
        'LIBVIRT_REFUSED',
        libvirt.detachDevice(ref, diskXml('sdd', 'contract-3'), { live: true, config: false }, signal),
      );
      await rejects('LIBVIRT_REFUSED', libvirt.attachDevice(ref, '<disk', { live: true, config: false }, signal));
    },
  );
  promise('blockResize() tells the guest a new size', async ({ libvirt, guest, diskXml }, signal) => {
    const ref = byName(guest.name);
    await libvirt.attachDevice(ref, diskXml('sde', 'contract-5'), { live: true, config: false }, signal);
    await libvirt.blockResize(ref, 'sde', 2 * MIB, signal);
    await rejects('LIBVIRT_REFUSED', libvirt.blockResize(ref, 'sdz', 2 * MIB, signal));
    await libvirt.detachDevice(ref, diskXml('sde', 'contract-5'), { live: true, config: false }, signal);
    await eventually(async () => (await diskAt(libvirt, ref, 'live', 'sde', signal)) === undefined, signal);
  });
}

function copies(promise: Promised): void {
  promise(
    'updateDevice() puts another stored disk in the place of the one with that target',
    async ({ libvirt, guest, diskXml }, signal) => {
      const ref = byName(guest.name);
      await libvirt.attachDevice(ref, diskXml('sdh', 'contract-7'), { live: false, config: true }, signal);
      await libvirt.updateDevice(ref, diskXml('sdh', 'contract-8'), { live: false, config: true }, signal);
      const stored = await diskAt(libvirt, ref, 'config', 'sdh', signal);
      assert.equal(stored?.serial, 'contract-8');
      await rejects(
        'LIBVIRT_REFUSED',
        libvirt.updateDevice(ref, diskXml('sdz', 'contract-8'), { live: false, config: true }, signal),
      );
      await libvirt.detachDevice(ref, stored.xml, { live: false, config: true }, signal);
    },
  );
  promise(
    'blockCopy() mirrors a disk, and blockJobAbort() with pivot moves guest and configuration over',
    async ({ libvirt, guest, diskXml, copyTarget }, signal) => {
      const ref = byName(guest.name);
      const target = copyTarget('copy');
      const copy = await mirrored(
        libvirt,
        ref,
        { xml: diskXml('sdi', 'contract-9'), targetDev: 'sdi', target: target.xml },
        signal,
      );
      assert.equal(copy.sourcePath, target.path);
      const job = await libvirt.blockJob(ref, 'sdi', signal);
      assert.ok(
        job?.kind === 'copy' && job.copiedBytes === job.totalBytes && job.totalBytes > 0,
        String(job?.totalBytes),
      );
      await rejects('LIBVIRT_REFUSED', libvirt.blockCopy(ref, 'sdi', target.xml, signal));
      await libvirt.blockJobAbort(ref, 'sdi', { pivot: true }, signal);
      const live = await diskAt(libvirt, ref, 'live', 'sdi', signal);
      assert.deepEqual(
        [live?.sourcePath, live?.mirror, live?.serial, await libvirt.blockJob(ref, 'sdi', signal)],
        [target.path, undefined, 'contract-9', undefined],
      );
      assert.equal((await diskAt(libvirt, ref, 'config', 'sdi', signal))?.sourcePath, target.path);
      await detached(libvirt, ref, 'sdi', signal);
    },
  );
  promise(
    'blockJobAbort() without pivot leaves the guest on its disk, and refuses where there is no job',
    async ({ libvirt, guest, diskXml, copyTarget }, signal) => {
      const ref = byUuid(guest.uuid);
      await mirrored(
        libvirt,
        ref,
        { xml: diskXml('sdj', 'contract-10'), targetDev: 'sdj', target: copyTarget('copy').xml },
        signal,
      );
      const before = await diskAt(libvirt, ref, 'config', 'sdj', signal);
      await libvirt.blockJobAbort(ref, 'sdj', { pivot: false }, signal);
      const live = await diskAt(libvirt, ref, 'live', 'sdj', signal);
      assert.deepEqual([live?.sourcePath, live?.mirror], [before?.sourcePath, undefined]);
      for (const pivot of [true, false])
        await rejects('LIBVIRT_REFUSED', libvirt.blockJobAbort(ref, 'sdj', { pivot }, signal));
      await detached(libvirt, ref, 'sdj', signal);
    },
  );
  promise(
    'blockCopy() and blockJob() refuse a guest that does not run, and a disk that it does not have',
    async ({ libvirt, guest, stoppedGuest, copyTarget }, signal) => {
      for (const ref of [byUuid(stoppedGuest.uuid), byUuid(guest.uuid)]) {
        await rejects('LIBVIRT_REFUSED', libvirt.blockCopy(ref, 'sdz', copyTarget('copy').xml, signal));
        await rejects('LIBVIRT_REFUSED', libvirt.blockJob(ref, 'sdz', signal));
      }
    },
  );
}

/** Attaches a disk to guest and configuration and copies it until the copy is ready. */
async function mirrored(
  libvirt: Libvirt,
  ref: DomainRef,
  { xml, targetDev, target }: { readonly xml: string; readonly targetDev: string; readonly target: string },
  signal: AbortSignal,
): Promise<DiskMirror> {
  await libvirt.attachDevice(ref, xml, { live: true, config: true }, signal);
  await libvirt.blockCopy(ref, targetDev, target, signal);
  const isReady = async (): Promise<boolean> => {
    assert.equal((await libvirt.blockJob(ref, targetDev, signal))?.kind, 'copy');
    return (await diskAt(libvirt, ref, 'live', targetDev, signal))?.mirror?.state === 'yes';
  };
  await eventually(isReady, signal);
  const mirror = (await diskAt(libvirt, ref, 'live', targetDev, signal))?.mirror;
  assert.ok(mirror !== undefined);
  return mirror;
}

async function detached(libvirt: Libvirt, ref: DomainRef, targetDev: string, signal: AbortSignal): Promise<void> {
  const xml = (await diskAt(libvirt, ref, 'live', targetDev, signal))?.xml ?? '';
  await libvirt.detachDevice(ref, xml, { live: true, config: true }, signal);
  await eventually(async () => (await diskAt(libvirt, ref, 'live', targetDev, signal)) === undefined, signal);
}

function secrets(promise: Promised): void {
  promise(
    'defineSecret() is found again, and keeps its UUID when the value is given anew',
    async ({ libvirt }, signal) => {
      const usage = { type: 'volume', id: 'contract <&"\'> volume' } as const;
      assert.equal(await libvirt.findSecret(usage, signal), undefined);
      const uuid = await libvirt.defineSecret(usage, new Secret('hush\nhush'), signal);
      assert.match(uuid, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      assert.equal(await libvirt.findSecret(usage, signal), uuid);
      assert.equal(await libvirt.findSecret({ type: 'volume', id: 'contract' }, signal), undefined);
      assert.equal(await libvirt.defineSecret(usage, new Secret('other'), signal), uuid);
      await libvirt.undefineSecret(usage, signal);
      assert.equal(await libvirt.findSecret(usage, signal), undefined);
      await libvirt.undefineSecret(usage, signal);
    },
  );
}

function guestDisks(promise: Promised): void {
  promise(
    'GuestDisks attaches to guest and configuration, and detaches from both',
    async ({ libvirt, guest, diskXml }, signal) => {
      const disks = new GuestDisks({ libvirt, clock: SYSTEM_CLOCK, logger: SILENT, timeoutMs: LIMIT_MS });
      const ref = byName(guest.name);
      await disks.attach(ref, diskXml('sdf', 'contract-6'), signal);
      const [live, stored] = [
        await diskAt(libvirt, ref, 'live', 'sdf', signal),
        await diskAt(libvirt, ref, 'config', 'sdf', signal),
      ];
      assert.equal(live?.serial, 'contract-6');
      assert.equal(stored?.serial, 'contract-6');
      const match = { serial: 'contract-6', sourcePaths: [live.sourcePath ?? ''] };
      assert.equal(await disks.detach(ref, { ...match, sourcePaths: ['/dev/another'] }, signal), false);
      assert.equal(await disks.detach(ref, match, signal), true);
      assert.equal(await diskAt(libvirt, ref, 'live', 'sdf', signal), undefined);
      assert.equal(await diskAt(libvirt, ref, 'config', 'sdf', signal), undefined);
      assert.equal(await disks.detach(ref, match, signal), false);
    },
  );
}

/** Holds that the promise rejects with that code. */
export async function rejects(code: VolumeErrorCode, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof VolumeError, `expected ${code}, got ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return true;
  });
}

async function eventually(holds: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!(await holds())) await SYSTEM_CLOCK.sleep(10, signal);
}

async function diskAt(
  libvirt: Libvirt,
  ref: DomainRef,
  which: 'live' | 'config',
  targetDev: string,
  signal: AbortSignal,
): Promise<GuestDisk | undefined> {
  return parseGuestDisks(await libvirt.domainXml(ref, which, signal)).find((disk) => disk.targetDev === targetDev);
}

function byName(name: string): DomainRef {
  return { kind: 'name', name };
}

function byUuid(uuid: string): DomainRef {
  return { kind: 'uuid', uuid };
}

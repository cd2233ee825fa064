import { open } from 'node:fs/promises';
import { readFileSync, readdirSync, realpathSync } from 'node:fs';
import { run } from './commands.js';
import { waitFor } from './wait-for.js';

/** A disk as the kernel shows it below its iSCSI session. */
export interface LabDisk {
  /** Such as `sda`. */
  readonly name: string;
  readonly device: string;
  /** As scsi_id prints it. */
  readonly wwid: string;
  /** The iscsi transport the session runs over. */
  readonly transport: string;
}

const SESSIONS = '/sys/class/iscsi_session';

/** Waits for the disk of a target's LUN, on whichever session of the target shows it first. */
export async function diskOf(iqn: string, lun: number, timeoutMs = 30_000): Promise<LabDisk> {
  return waitFor(`a disk of ${iqn} LUN ${lun}`, async () => (await disksOf(iqn, lun))[0], timeoutMs);
}

/** The disks of a target's LUN there are now, one for each session. */
export async function disksOf(iqn: string, lun: number): Promise<readonly LabDisk[]> {
  const disks = list(SESSIONS)
    .filter((session) => read(`${SESSIONS}/${session}/targetname`) === iqn)
    .flatMap((session) => namesBelow(session, lun).map((name) => ({ session, name })));
  return Promise.all(
    disks.map(async ({ session, name }) => ({
      name,
      device: `/dev/${name}`,
      wwid: await wwidOf(name),
      transport: transportOf(session),
    })),
  );
}

/** Reads a device as a program of the host would. */
export async function readDevice(device: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(device);
  try {
    return (await file.read(Buffer.alloc(length), 0, length, offset)).buffer;
  } finally {
    await file.close();
  }
}

function namesBelow(session: string, lun: number): readonly string[] {
  const folder = `${SESSIONS}/${session}/device`;
  return list(folder)
    .filter((entry) => entry.startsWith('target'))
    .flatMap((target) =>
      list(`${folder}/${target}`)
        .filter((unit) => unit.endsWith(`:${lun}`))
        .flatMap((unit) => list(`${folder}/${target}/${unit}/block`)),
    );
}

async function wwidOf(name: string): Promise<string> {
  return (await run('/lib/udev/scsi_id', ['--whitelisted', `--device=/dev/${name}`])).trim();
}

/** `iscsi_tcp` and the like: the SCSI host's driver, without its prefix. */
function transportOf(session: string): string {
  const host = /\/(host\d+)\//.exec(realpathSync(`${SESSIONS}/${session}/device`))?.[1] ?? '';
  return read(`/sys/class/scsi_host/${host}/proc_name`).replace(/^iscsi_/, '');
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // it is not there, or went while we looked
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

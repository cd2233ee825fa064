import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { tryRun } from './commands.js';

/**
 * What a scenario could leave behind: one line for each thing, sorted, such as `session iqn… 10.99.1.1 over default`.
 */
export type Residue = readonly string[];

const KEPT_FILES = ['/run/lock/iscsi', '/run/lock/libvirt-volume', '/var/lib/libvirt-volume'];
/** Both roots of open-iscsi's database: what lies in the one that the machine does not use was put there by mistake. */
const RECORDS = ['/etc/iscsi', '/var/lib/iscsi'].flatMap((root) =>
  ['nodes', 'send_targets', 'static', 'ifaces'].map((folder) => `${root}/${folder}`),
);
const GUEST_FILES = {
  'running guest': '/run/libvirt/qemu',
  'defined guest': '/etc/libvirt/qemu',
  'libvirt secret': '/etc/libvirt/secrets',
};

/** Looks at everything that a volume could leave behind. */
export async function readResidue(): Promise<Residue> {
  const rules = await tryRun('nft', ['list', 'tables']);
  return [
    ...entries('/sys/class/iscsi_session').map(sessionLine),
    ...[...RECORDS, ...KEPT_FILES].flatMap(filesBelow).map((file) => `file ${file}`),
    ...entries('/sys/class/block')
      .filter((name) => name.startsWith('sd'))
      .map((name) => `disk ${name}`),
    ...entries('/sys/class/block')
      .filter((name) => name.startsWith('dm-'))
      .map((name) => `map ${text(`/sys/class/block/${name}/dm/name`)} ${text(`/sys/class/block/${name}/dm/uuid`)}`),
    ...Object.entries(GUEST_FILES).flatMap(([what, folder]) =>
      entries(folder)
        .filter((name) => name.endsWith('.xml'))
        .map((name) => `${what} ${name.slice(0, -'.xml'.length)}`),
    ),
    ...entries('/sys/kernel/config/target/iscsi')
      .filter((name) => /^(iqn|eui|naa)\./.test(name))
      .map((name) => `target ${name}`),
    ...entries('/sys/kernel/config/target/core/fileio_0')
      .filter((name) => !name.startsWith('hba_'))
      .map((name) => `target volume ${name}`),
    ...rules.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `firewall ${line}`),
    ...entries('/sys/class/net').map((name) => `network device ${name}`),
  ].sort();
}

/** @returns lines that begin with `+` for what was left behind and `-` for what is gone; empty when all is as it was */
export function compareResidue(before: Residue, after: Residue): readonly string[] {
  return [...surplus(after, before).map((line) => `+ ${line}`), ...surplus(before, after).map((line) => `- ${line}`)];
}

/** What the first list has more of than the second: two sessions with one line count as two. */
function surplus(more: Residue, less: Residue): Residue {
  const left = [...less];
  return more.filter((line) => {
    const at = left.indexOf(line);
    if (at === -1) return true;
    left.splice(at, 1);
    return false;
  });
}

function sessionLine(session: string): string {
  const folder = `/sys/class/iscsi_session/${session}`;
  const connection = entries(`${folder}/device`).find((name) => name.startsWith('connection'));
  const address =
    connection === undefined
      ? 'no connection'
      : text(`${folder}/device/${connection}/iscsi_connection/${connection}/persistent_address`);
  return `session ${text(`${folder}/targetname`)} at ${address} over ${text(`${folder}/ifacename`)}`;
}

function filesBelow(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) =>
        entry.isSymbolicLink()
          ? `${join(entry.parentPath, entry.name)} -> ${readlinkSync(join(entry.parentPath, entry.name))}`
          : join(entry.parentPath, entry.name),
      );
  } catch (error) {
    return absent(error);
  }
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    return absent(error);
  }
}

function absent(error: unknown): readonly [] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
  throw error;
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '?'; // it went while we looked
  }
}

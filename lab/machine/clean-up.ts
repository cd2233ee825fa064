import { existsSync, readdirSync, rmSync } from 'node:fs';
import { tryRun } from './commands.js';
import { nodesFolder, sendTargetsFolder } from './database-root.js';

/**
 * Ends guests, maps, sessions and records that a failed scenario left, as well as it can, so that the next one is not
 * blamed for them.
 */
export async function cleanUp(): Promise<void> {
  for (const guest of xmlNames('/run/libvirt/qemu')) await virsh('destroy', guest);
  for (const guest of xmlNames('/etc/libvirt/qemu')) await virsh('undefine', guest);
  for (const secret of xmlNames('/etc/libvirt/secrets')) await virsh('secret-undefine', secret);
  await tryRun('nft', ['flush', 'ruleset']);
  await tryRun('multipath', ['-F'], { timeoutMs: 10_000 });
  await tryRun('iscsiadm', ['-m', 'node', '--logoutall=all'], { timeoutMs: 30_000 });
  await tryRun('iscsiadm', ['-m', 'session', '--logout'], { timeoutMs: 30_000 });
  for (const folder of [nodesFolder(), sendTargetsFolder(), '/run/lock/libvirt-volume', '/var/lib/libvirt-volume'])
    rmSync(folder, { recursive: true, force: true });
  await tryRun('targetcli', ['clearconfig', 'confirm=True'], { timeoutMs: 30_000 });
}

async function virsh(...words: readonly string[]): Promise<void> {
  await tryRun('virsh', ['-q', '-c', 'qemu:///system', ...words], { timeoutMs: 20_000 });
}

function xmlNames(folder: string): readonly string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.xml'))
        .map((name) => name.slice(0, -'.xml'.length))
    : [];
}

import { openSync, readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { run, tryRun } from './commands.js';
import { waitFor } from './wait-for.js';

/** libvirt as virsh reaches it in the lab machine. */
export function virsh(...words: readonly string[]): Promise<string> {
  return run('virsh', ['-q', '-c', 'qemu:///system', ...words]);
}

/** Waits for the libvirtd that the machine starts for a scenario that `needs: libvirt`. */
export async function libvirtdUp(): Promise<void> {
  await waitFor(
    'libvirtd',
    async () => (await tryRun('virsh', ['-c', 'qemu:///system', 'version'])).code === 0,
    60_000,
  );
}

export async function stopLibvirtd(): Promise<void> {
  await stop('libvirtd');
}

export async function startLibvirtd(): Promise<void> {
  await run('libvirtd', ['-d', '-f', '/project/lab/image/libvirtd.conf']);
  await libvirtdUp();
}

/**
 * A scenario that starts it ends it as well: it would put a map over the single disks of the next one.
 * @param configuration the text of /etc/multipath.conf; what is there stays when absent
 */
export async function startMultipathd(configuration?: string): Promise<void> {
  if (configuration !== undefined) await run('tee', ['/etc/multipath.conf'], { input: configuration });
  await run('multipathd', []);
  await waitFor('multipathd', async () => (await tryRun('multipathd', ['show', 'daemon'])).stdout.startsWith('pid'));
}

export async function stopMultipathd(): Promise<void> {
  await stop('multipathd');
}

export async function stopIscsid(): Promise<void> {
  await stop('iscsid');
}

/** @param level how much it writes into its log: 0 to 8 */
export async function startIscsid(level = 4): Promise<void> {
  const log = openSync('/run/lab/log/iscsid.log', 'a');
  spawn('iscsid', ['-d', String(level), '-f'], { stdio: ['ignore', log, log], detached: true }).unref();
  await waitFor('iscsid', () => readFileSync('/proc/net/unix', 'utf8').includes('@ISCSIADM_ABSTRACT_NAMESPACE'));
}

async function stop(daemon: string): Promise<void> {
  await tryRun('pkill', ['-x', daemon]);
  await waitFor(`the end of ${daemon}`, async () => (await tryRun('pidof', [daemon])).code !== 0);
}

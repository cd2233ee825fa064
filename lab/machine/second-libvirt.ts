import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { run, tryRun } from './commands.js';
import type { LibvirtHost } from './domain.js';
import { setUp } from './undo.js';
import { waitFor } from './wait-for.js';

const FOLDER = '/run/lab/second-libvirt';
/** Where a system libvirtd keeps what is its own, and where the second one has that. */
const FOLDERS = {
  '/run/libvirt': 'run',
  '/var/lib/libvirt': 'lib',
  '/var/cache/libvirt': 'cache',
  '/var/log/libvirt': 'log',
  '/etc/libvirt': 'etc',
};

/**
 * A second libvirtd with guests and secrets of its own: another host's, as far as libvirt can tell, by its own host
 * name and host UUID. It shares the kernel with the first one, and so the block devices: a volume that shall be two
 * hosts' is shown by two targets.
 */
export class SecondLibvirt implements LibvirtHost, AsyncDisposable {
  readonly uri = `qemu+unix:///system?socket=${FOLDER}/run/libvirt-sock`;
  readonly logFolder = `${FOLDER}/log/qemu`;

  static async start(): Promise<SecondLibvirt> {
    return await setUp(async (undo) => {
      undo.add(() => new SecondLibvirt()[Symbol.asyncDispose]());
      return await SecondLibvirt.#begin();
    });
  }

  static async #begin(): Promise<SecondLibvirt> {
    for (const [original, name] of Object.entries(FOLDERS)) {
      mkdirSync(`${FOLDER}/${name}`, { recursive: true });
      if (name !== 'run' && name !== 'log') await run('cp', ['-a', `${original}/.`, `${FOLDER}/${name}`]);
    }
    mkdirSync(`${FOLDER}/log/qemu`);
    const configuration = readFileSync('/project/lab/image/libvirtd.conf', 'utf8').replace(
      'libvirtd.log',
      'second-libvirtd.log',
    );
    writeFileSync(`${FOLDER}/libvirtd.conf`, `${configuration}host_uuid = "0e9b1a4e-6a7e-4d0c-9a55-5c1f7f2d3b10"\n`);
    const mounts = Object.entries(FOLDERS).map(([original, name]) => `mount --bind ${FOLDER}/${name} ${original}`);
    const steps = [
      'hostname second',
      ...mounts,
      `exec libvirtd -d -f ${FOLDER}/libvirtd.conf -p ${FOLDER}/run/libvirtd.pid`,
    ];
    await run('unshare', ['--mount', '--uts', 'sh', '-c', steps.join(' && ')]);
    const second = new SecondLibvirt();
    await waitFor(
      'the second libvirtd',
      async () => (await tryRun('virsh', ['-c', second.uri, 'version'])).code === 0,
      120_000,
    );
    return second;
  }

  virsh(...words: readonly string[]): Promise<string> {
    return run('virsh', ['-q', '-c', this.uri, ...words]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = `${FOLDER}/run/libvirtd.pid`;
    if (existsSync(file)) {
      const pid = readFileSync(file, 'utf8').trim();
      process.kill(Number(pid), 'SIGTERM');
      await waitFor('the end of the second libvirtd', () => !existsSync(`/proc/${pid}`));
    }
    rmSync(FOLDER, { recursive: true });
  }
}

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from '../plan.js';

export type Accelerator = 'kvm' | 'tcg';

export interface Boot {
  readonly accelerator: Accelerator;
  readonly cpus: number;
  /** From machineFolder(). */
  readonly machine: string;
  readonly projectImage: string;
  /** The folder of this host that the machine sees as /out. */
  readonly out: string;
  readonly mode: 'run' | 'shell';
  readonly services: readonly Service[];
}

export const QEMU = 'qemu-system-x86_64';

/**
 * QEMU's arguments. The console goes to a file (to the terminal for a shell), the second serial port to standard
 * output.
 */
export function qemuArguments({
  accelerator,
  cpus,
  machine,
  projectImage,
  out,
  mode,
  services,
}: Boot): readonly string[] {
  const drive = (file: string): readonly string[] => [
    '-drive',
    `file=${escaped(file)},format=raw,if=virtio,readonly=on,aio=threads`,
  ];
  const [rows, cols] = [process.stdout.rows || 24, process.stdout.columns || 80];
  // Without no_timer_check a kernel whose host is busy may take its timer for broken, and panics. With tsc=reliable it
  // would keep a clock that it measured wrongly while the host was busy: its watchdog takes another one then.
  const kernel = [
    'console=ttyS0',
    'quiet',
    'panic=-1',
    'mitigations=off',
    'random.trust_cpu=on',
    'no_timer_check',
    'net.ifnames=0',
    `lab.mode=${mode}`,
    `lab.services=${services.join(',')}`,
    `lab.time=${Math.floor(Date.now() / 1000)}`,
    `lab.rows=${rows}`,
    `lab.cols=${cols}`,
  ];
  return [
    ...acceleration(accelerator),
    '-machine',
    'q35',
    '-smp',
    String(cpus),
    '-m',
    '3072',
    '-nodefaults',
    '-display',
    'none',
    '-no-reboot',
    '-kernel',
    join(machine, 'vmlinux'),
    '-initrd',
    join(machine, 'initramfs'),
    '-append',
    kernel.join(' '),
    ...drive(join(machine, 'root.img')),
    ...drive(projectImage),
    '-virtfs',
    `local,path=${escaped(out)},mount_tag=out,security_model=none,multidevs=remap`,
    '-device',
    'virtio-rng-pci',
    ...(mode === 'run'
      ? ['-serial', `file:${join(out, 'console.log')}`, '-serial', 'stdio']
      : ['-serial', 'mon:stdio', '-serial', 'null']),
  ];
}

/** Where KVM works the kernel is up in 2 s; emulation takes 9 s, so that a KVM which is slower than this is none. */
const KVM_PROBE_MS = 10_000;

/**
 * KVM where it works, else emulation. A device file proves little: under another hypervisor KVM may run a few
 * instructions and then emulate the rest one by one, so the machine's own kernel is booted once to the first words of
 * its first process.
 * @throws {Error} when LIBVIRT_VOLUME_LAB_ACCEL is none of the two
 */
export function findAccelerator(machine: string): Accelerator {
  const wish = process.env['LIBVIRT_VOLUME_LAB_ACCEL'];
  if (wish === 'kvm' || wish === 'tcg') return wish;
  if (wish !== undefined) throw new Error(`Cannot use LIBVIRT_VOLUME_LAB_ACCEL=${wish}: it is kvm or tcg`);
  if (!existsSync('/dev/kvm')) return 'tcg';
  const probe = spawnSync(
    QEMU,
    [
      ...acceleration('kvm'),
      '-machine',
      'q35',
      '-m',
      '512',
      '-nodefaults',
      '-display',
      'none',
      '-no-reboot',
      '-serial',
      'stdio',
      '-kernel',
      join(machine, 'vmlinux'),
      '-initrd',
      join(machine, 'initramfs'),
      '-append',
      'console=ttyS0 quiet panic=-1 lab.mode=probe',
    ],
    { timeout: KVM_PROBE_MS, killSignal: 'SIGKILL', encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  return probe.error === undefined && probe.stdout.includes('lab: it boots') ? 'kvm' : 'tcg';
}

function acceleration(accelerator: Accelerator): readonly string[] {
  return accelerator === 'kvm'
    ? ['-accel', 'kvm', '-cpu', 'host']
    : ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max'];
}

/** QEMU reads `,,` in a value as one comma. */
function escaped(path: string): string {
  return path.replaceAll(',', ',,');
}

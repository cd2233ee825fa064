import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from '../plan.js';

export type Accelerator = 'kvm' | 'tcg';

export interface Boot {
  readonly accelerator: Accelerator;
  /** From machineFolder(). */
  readonly machine: string;
  readonly projectImage: string;
  /** The folder of this host that the machine sees as /out. */
  readonly out: string;
  readonly mode: 'run' | 'shell';
  readonly services: readonly Service[];
}

export const QEMU = 'qemu-system-x86_64';

/** QEMU's arguments. The console goes to a file (to the terminal for a shell), the second serial port to standard output. */
export function qemuArguments({ accelerator, machine, projectImage, out, mode, services }: Boot): readonly string[] {
  const drive = (file: string): readonly string[] => ['-drive', `file=${escaped(file)},format=raw,if=virtio,readonly=on,aio=threads`];
  const [rows, cols] = [process.stdout.rows || 24, process.stdout.columns || 80];
  const kernel = [
    'console=ttyS0', 'quiet', 'panic=-1', 'mitigations=off', 'random.trust_cpu=on', 'tsc=reliable', 'net.ifnames=0',
    `lab.mode=${mode}`, `lab.services=${services.join(',')}`, `lab.time=${Math.floor(Date.now() / 1000)}`, `lab.rows=${rows}`, `lab.cols=${cols}`,
  ];
  return [
    ...(accelerator === 'kvm' ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max']),
    '-machine', 'q35', '-smp', '2', '-m', '4096', '-nodefaults', '-display', 'none', '-no-reboot',
    '-kernel', join(machine, 'vmlinuz'), '-initrd', join(machine, 'initramfs.gz'), '-append', kernel.join(' '),
    ...drive(join(machine, 'root.img')), ...drive(projectImage),
    '-virtfs', `local,path=${escaped(out)},mount_tag=out,security_model=none,multidevs=remap`,
    '-device', 'virtio-rng-pci',
    ...(mode === 'run' ? ['-serial', `file:${join(out, 'console.log')}`, '-serial', 'stdio'] : ['-serial', 'mon:stdio', '-serial', 'null']),
  ];
}

/**
 * KVM where it works, else emulation. A device file proves little (under another hypervisor it may stop the machine at its first
 * instruction), so a boot sector of three instructions is run: it ends QEMU with exit status 33.
 */
export function findAccelerator(folder: string): Accelerator {
  const wish = process.env['LIBVIRT_VOLUME_LAB_ACCEL'];
  if (wish === 'kvm' || wish === 'tcg') return wish;
  if (wish !== undefined) throw new Error(`Cannot use LIBVIRT_VOLUME_LAB_ACCEL=${wish}: it is kvm or tcg`);
  const sector = Buffer.alloc(512);
  sector.set([0xb0, 0x10, 0xe6, 0xf4, 0xf4]); // mov al, 0x10; out 0xf4, al; hlt
  sector.set([0x55, 0xaa], 510);
  const disk = join(folder, 'kvm-probe.img');
  writeFileSync(disk, sector);
  const probe = spawnSync(QEMU, [
    '-accel', 'kvm', '-cpu', 'host', '-nodefaults', '-display', 'none', '-no-reboot', '-device', 'isa-debug-exit,iobase=0xf4,iosize=1',
    '-drive', `file=${escaped(disk)},format=raw,if=ide`,
  ], { timeout: 10_000, stdio: 'ignore' });
  return probe.status === 33 ? 'kvm' : 'tcg';
}

/** QEMU reads `,,` in a value as one comma. */
function escaped(path: string): string {
  return path.replaceAll(',', ',,');
}

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SERVICES, type Service } from '../plan.js';
import { tryRun, type Answer } from './commands.js';

const PATIENCE_MS = 20_000;
const TURNS = 3;

/**
 * A request that ends before it began: iscsid reads its end and closes the connection (usr/mgmt_ipc.c,
 * mgmt_ipc_read_data), unless it hangs. Node 20 reaches no abstract socket.
 */
const ASK_ISCSID = `
import socket
with socket.socket(socket.AF_UNIX) as ask:
    ask.settimeout(10)
    ask.connect("\\0ISCSIADM_ABSTRACT_NAMESPACE")
    ask.shutdown(socket.SHUT_WR)
    while ask.recv(65536): pass
`;

interface Check {
  readonly daemon: string;
  readonly command: readonly [program: string, ...args: string[]];
  readonly answers: (answer: Answer) => boolean;
}

const succeeds = ({ code }: Answer): boolean => code === 0;
const ALWAYS: readonly Check[] = [
  { daemon: 'iscsid', command: ['python3', '-ISc', ASK_ISCSID], answers: succeeds },
  // As root it waits for udevd's answer to a ping, and then for its queue (src/udev/udevadm-settle.c).
  { daemon: 'udevd', command: ['udevadm', 'settle', '--timeout=15'], answers: succeeds },
];
const OF_SERVICE: Readonly<Record<Service, Check>> = {
  libvirt: { daemon: 'libvirtd', command: ['virsh', '-q', '-c', 'qemu:///system', 'list'], answers: succeeds },
  multipath: {
    daemon: 'multipathd',
    command: ['multipathd', 'show', 'daemon'],
    answers: ({ stdout }) => stdout.startsWith('pid'),
  },
};

/**
 * Asks every daemon that a scenario may count on.
 * @returns a line for each that does not answer as it should; none when the machine is fit for another scenario
 */
export async function unfitness(services: readonly Service[]): Promise<readonly string[]> {
  const checks = [...ALWAYS, ...services.map((service) => OF_SERVICE[service])];
  const strangers = SERVICES.filter((service) => !services.includes(service)).map((service) => strangerOf(service));
  return (await Promise.all([...checks.map(complaintOf), ...strangers])).flat();
}

async function strangerOf(service: Service): Promise<readonly string[]> {
  const { daemon } = OF_SERVICE[service];
  return (await tryRun('pidof', [daemon])).code === 0 ? [`${daemon} runs, and this machine did not boot with it`] : [];
}

/** A daemon that is just busy is asked again. */
async function complaintOf({ daemon, command: [program, ...args], answers }: Check): Promise<readonly string[]> {
  let complaint = '';
  for (let turn = 0; turn < TURNS; turn++) {
    if (turn > 0) await sleep(1000);
    const answer = await tryRun(program, args, { timeoutMs: PATIENCE_MS });
    if (answers(answer)) return [];
    const words = (answer.stderr || answer.stdout).trim().split('\n').at(-1) ?? '';
    complaint = `${daemon} does not answer: ${program} ended with ${answer.code} ${words}`.trimEnd();
  }
  return [complaint];
}

/** What this boot of the machine started beside iscsid and udevd (lab/image/init.sh). */
export function bootedServices(commandLine = readFileSync('/proc/cmdline', 'utf8')): readonly Service[] {
  const words = /(?:^| )lab\.services=(\S*)/.exec(commandLine)?.[1]?.split(',') ?? [];
  return SERVICES.filter((service) => words.includes(service));
}

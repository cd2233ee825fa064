import type { VolumeError } from '../../src/base/volume-error.js';
import { readOptions } from '../../src/config/read-options.js';
import type { Finding } from '../../src/doctor/finding.js';
import { HostDoctor } from '../../src/doctor/host-doctor.js';
import type { FailedTransport } from '../../src/doctor/host-state.js';
import type { Clock } from '../../src/host/clock.js';
import { type Command, type CommandResult, type CommandRunner, printable } from '../../src/host/command.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { fakeDatabase } from '../fakes/fake-database.js';
import { FakeHost } from '../fakes/fake-host.js';
import type { FakeRelease } from '../fakes/fake-release.js';
import { FakeLibvirt } from '../fakes/fake-libvirt.js';
import type { FakeTree } from '../fakes/fake-tree.js';
import { SysfsTree } from '../hardware/sysfs-tree.js';
import { captured } from '../initiator/captured.js';

/** A host on which everything is well, as the lab machine shows it, to make things wrong on. */
export class DoctorHost implements CommandRunner {
  readonly sysfs: SysfsTree;
  readonly libvirt = new FakeLibvirt();
  clock: Clock = new FakeClock();
  failed: readonly FailedTransport[] = [];
  /** What each command answers, by its whole line. */
  readonly answers = new Map<string, CommandResult | VolumeError>([
    ['id -u', says('0\n')],
    ['iscsiadm --version', says(captured('version.txt'))],
    ['iscsid --version', says(captured('host/iscsid-version.txt'))],
    ['multipathd show config local', says(captured('host/multipathd-show-config-local.txt'))],
  ]);

  /** @param release of its open-iscsi; the answers are those of 2.1.8 */
  constructor(release?: FakeRelease) {
    this.sysfs = new SysfsTree(new FakeHost({ clock: new FakeClock(), ...(release === undefined ? {} : { release }) }));
    const { tree } = this;
    tree.write('/proc/net/unix', captured('host/unix'));
    tree.write('/proc/self/mountinfo', captured('host/mountinfo'));
    tree.write('/etc/os-release', captured('host/os-release'));
    tree.write('/etc/iscsi/initiatorname.iscsi', captured('host/initiatorname.iscsi'));
    tree.write('/proc/sys/net/ipv4/conf/all/rp_filter', '0\n');
    tree.write('/usr/lib/systemd/system/libvirtd.socket', '');
    tree.directory('/var/lib');
    this.runs('iscsid', ISCSID);
  }

  get tree(): FakeTree {
    return this.sysfs.host.tree;
  }

  /** A process in the form of /proc/PID/stat. @param state `S` sleeps, `T` is stopped, `D` waits for a disk */
  runs(name: string, pid: number, state: 'S' | 'T' | 't' | 'D' = 'S'): void {
    this.tree.write(
      `/proc/${pid}/stat`,
      captured('host/stat-of-iscsid').replace(/^\d+ \(iscsid\) \S/, `${pid} (${name}) ${state}`),
    );
    if (this.tree.kind(`/usr/sbin/${name}`) === undefined) this.tree.write(`/usr/sbin/${name}`, '');
    this.tree.symbolicLink(`/proc/${pid}/exe`, `/usr/sbin/${name}`);
  }

  async run(command: Command): Promise<CommandResult> {
    const answer = this.answers.get(printable(command));
    if (answer === undefined) throw new Error(`A command that nobody expected: ${printable(command)}`);
    if ('exitCode' in answer) return answer;
    throw answer;
  }

  async locate(program: string): Promise<string | undefined> {
    const answer = this.answers.get('iscsiadm --version');
    if (answer !== undefined && !('exitCode' in answer)) throw answer;
    return await this.sysfs.host.locate(program);
  }

  /** @param config the `[libvirt]` table of a config file */
  async findings(
    config: Readonly<Record<string, unknown>> = {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<readonly Finding[]> {
    const {
      sysfs: { files, host, netAddresses },
      libvirt,
      clock,
    } = this;
    const options = readOptions({ libvirt: config }, 'the test');
    const database = fakeDatabase(host, { commands: this, databaseRoot: options.databaseRoot });
    return await new HostDoctor({
      files,
      database,
      commands: this,
      clock,
      netAddresses,
      libvirt,
      options,
      failedTransports: async () => this.failed,
    }).examine('the test', signal);
  }

  /** Whatever is not well, one line each: `error CODE message | hint`. */
  async problems(config: Readonly<Record<string, unknown>> = {}): Promise<readonly string[]> {
    const problems = (await this.findings(config)).filter(({ severity }) => severity !== 'ok');
    return problems.map(
      ({ severity, code, message, hint }) => `${severity} ${code} ${message} | ${hint ?? 'no command'}`,
    );
  }
}

/** The process of the healthy host's iscsid. */
export const ISCSID = 612;

export function says(stdout: string, exitCode = 0, stderr = ''): CommandResult {
  return { exitCode, stdout, stderr };
}

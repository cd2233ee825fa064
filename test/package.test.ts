import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

/**
 * What `npm pack` makes, unpacked twice: alone, and where a service would have it, beside the packages that it depends
 * on.
 */
const folder = mkdtempSync(join(tmpdir(), 'package-'));
const alone = join(folder, 'alone/package');
const service = join(folder, 'services/one');
const installed = join(service, 'node_modules/libvirt-volume-drivers');

/** Services that compile against the package: which inversify each has. */
const SERVICES = { newest: 'inversify', oldest: 'inversify-8.0' } as const;

beforeAll(() => {
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder]);
  const [tarball = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  for (const [into, words] of [
    [join(folder, 'alone'), []],
    [installed, ['--strip-components=1']],
  ] as const) {
    mkdirSync(into, { recursive: true });
    execFileSync('tar', ['-xzf', join(folder, tarball), '-C', into, ...words]);
  }
  symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'services/node_modules'));
  for (const [name, inversify] of Object.entries(SERVICES)) makeService(name, inversify);
}, 120_000);

afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('dist/cli is one file that needs no package beside it', () => {
  const { bin, version } = manifest();
  const command = join(alone, bin['libvirt-volume'] ?? '');
  expect(statSync(command).mode & 0o111).toBe(0o111);
  expect(execFileSync(command, ['--version'], { encoding: 'utf8' }).trim()).toBe(version);
  expect(JSON.parse(execFileSync(command, ['disk-xml', ...inputs(), '--json'], { encoding: 'utf8' }))).toMatchObject({
    device: '/dev/sdq',
    diskXml: expect.stringContaining('<target dev="vdb" bus="virtio"/>'),
  });
});

test('dist/cli runs on this Node, and prints only what it is asked for', () => {
  const command = join(alone, 'dist/cli/main.js');
  const broken = join(folder, 'broken.json');
  writeFileSync(broken, '{');
  const run = (...words: readonly string[]): unknown => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...words], { encoding: 'utf8' });
    return { status, stdout, stderr };
  };
  const files = ['--connection-info', broken, '--disk-info', broken];
  expect(run('--help')).toEqual({ status: 0, stdout: expect.stringContaining('Usage: libvirt-volume'), stderr: '' });
  expect(run('disk-xml', ...inputs())).toEqual({ status: 0, stdout: expect.stringContaining('<disk '), stderr: '' });
  expect(run('disk-xml', ...files)).toEqual({
    status: 2,
    stdout: '',
    stderr: expect.stringContaining(`Cannot read ${broken}`),
  });
  expect(run('disk-xml', ...files, '--json')).toEqual({
    status: 2,
    stdout: expect.stringMatching(/^\{"error":\{"code":"USAGE".*\}\}\n$/),
    stderr: '',
  });
});

test('dist/cli finds the worker that it starts beside itself', () => {
  const command = readFileSync(join(alone, 'dist/cli/main.js'), 'utf8');
  const files = [...command.matchAll(/new URL\("\.\/([^"]+)", import\.meta\.url\)/g)].map(([, file]) => file ?? '');
  expect(files).toEqual(['blocking-worker.js']);
  expect(files.filter((file) => !existsSync(join(alone, 'dist/cli', file)))).toEqual([]);
});

test('dist/cli carries the licences of the packages in it', () => {
  const terms = readFileSync(join(alone, 'dist/cli/LICENSES.txt'), 'utf8');
  for (const name of Object.keys(manifest().dependencies)) expect(terms).toMatch(new RegExp(`^== ${name} \\d`, 'm'));
});

test('package is ES modules with types, and takes its dependencies from the service', () => {
  expect(readFileSync(join(installed, 'dist/index.js'), 'utf8')).toContain("from './module.js'");
  expect(importKeys('libvirt-volume-drivers')).toEqual(
    expect.arrayContaining(['TOKENS', 'volumeDriverModule', 'VolumeError']),
  );
  expect(importKeys('libvirt-volume-drivers/testing')).toEqual(['volumeDriverContract']);
  for (const types of ['dist/index.d.ts', 'dist/testing/index.d.ts'])
    expect(existsSync(join(installed, types))).toBe(true);
});

test('package has nothing that only builds and checks it', () => {
  expect(
    readdirSync(join(alone, 'dist'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.map') && !name.startsWith('cli/'),
    ),
  ).toEqual([]);
  expect(readdirSync(alone).toSorted()).toEqual([
    'ARCHITECTURE.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'LICENSE',
    'README.md',
    'SECURITY.md',
    'UPGRADING.md',
    'config',
    'dist',
    'docs',
    'examples',
    'lab',
    'package.json',
  ]);
  expect(readdirSync(join(alone, 'lab'))).toEqual(['README.md']);
  expect(readdirSync(join(alone, 'dist/cli')).toSorted()).toEqual([
    'LICENSES.txt',
    'blocking-worker.js',
    'blocking-worker.js.map',
    'main.js',
    'main.js.map',
  ]);
});

test.each([
  ['newest', 'nodenext', 'nodenext'],
  ['newest', 'esnext', 'bundler'],
  ['oldest', 'nodenext', 'nodenext'],
])(
  "package's types hold in a service with the %s inversify, module %s, resolution %s",
  (name, module, moduleResolution) => {
    const files = module === 'nodenext' ? ['service.ts', 'service.cts'] : ['service.ts'];
    const flags = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      'false',
      '--target',
      'es2023',
      '--lib',
      'es2023',
      '--types',
      'node',
    ];
    const words = [...flags, '--module', module, '--moduleResolution', moduleResolution, ...files];
    const compiler = join(process.cwd(), 'node_modules/typescript/bin/tsc');
    expect(
      spawnSync(process.execPath, [compiler, ...words], { cwd: join(folder, 'services', name), encoding: 'utf8' }),
    ).toMatchObject({ stdout: '', status: 0 });
  },
  60_000,
);

test('every link of a page in the package leads to a file of the package', () => {
  const pages = readdirSync(alone, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.md'));
  const links = pages.flatMap((page) =>
    [...readFileSync(join(alone, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(
      ([, target = '']) => [page, join(dirname(page), target)] as const,
    ),
  );
  expect(links.length).toBeGreaterThan(50);
  expect(links.filter(([, target]) => !existsSync(join(alone, target)))).toEqual([]);
});

test('package loads with require() in a CommonJS service', () => {
  const script =
    "const { TOKENS, volumeDriverModule } = require('libvirt-volume-drivers');" +
    "const { Container } = require('inversify'); const container = new Container();" +
    'container.load(volumeDriverModule({ config: {} })); ' +
    "console.log(container.get(TOKENS.driverFor)('iscsi').volumeType)";
  const words = ['--disable-warning=ExperimentalWarning', '--input-type=commonjs', '--eval', script];
  expect(execFileSync(process.execPath, words, { cwd: service, encoding: 'utf8' })).toBe('iscsi\n');
});

interface Manifest {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** A service's folder: the package unpacked, one inversify, and everything else from the folder above. */
function makeService(name: string, inversify: string): void {
  const modules = join(folder, 'services', name, 'node_modules');
  mkdirSync(modules, { recursive: true });
  cpSync(installed, join(modules, 'libvirt-volume-drivers'), { recursive: true });
  symlinkSync(join(process.cwd(), 'node_modules', inversify), join(modules, 'inversify'));
  for (const extension of ['ts', 'cts']) writeFileSync(join(folder, 'services', name, `service.${extension}`), SERVICE);
}

/** What a service writes, as TypeScript. */
const SERVICE = `
import { Container } from 'inversify';
import {
  type ConnectionInfo,
  type DiskInfo,
  TOKENS,
  volumeDriverModule,
  VolumeError,
  type VolumeDriver,
} from 'libvirt-volume-drivers';
import { volumeDriverContract } from 'libvirt-volume-drivers/testing';

const container = new Container();
container.load(volumeDriverModule({ configFile: '/etc/libvirt-volume/config.toml' }));
export const driver: VolumeDriver = container.get(TOKENS.driverFor)('iscsi');
export async function attach(connectionInfo: ConnectionInfo, signal: AbortSignal | undefined): Promise<string> {
  try {
    const guest = { kind: 'name', name: 'web1' } as const;
    const disk: DiskInfo = { dev: 'vdb', bus: 'virtio' };
    const { volume } = await driver.attach(guest, connectionInfo, disk, { signal });
    const gibibytes: number = volume.device.sizeBytes / 2 ** 30;
    console.log(gibibytes);
    return volume.device.path;
  } catch (error) {
    if (error instanceof VolumeError) return error.code;
    throw error;
  }
}
export const contract = volumeDriverContract;
`;

function manifest(): Manifest {
  return JSON.parse(readFileSync(join(alone, 'package.json'), 'utf8')) as Manifest;
}

function inputs(): readonly string[] {
  const [connection, disk] = [join(folder, 'connection.json'), join(folder, 'disk.json')];
  writeFileSync(
    connection,
    JSON.stringify({
      driver_volume_type: 'iscsi',
      serial: 'volume-1',
      data: {
        target_portal: '192.0.2.1:3260',
        target_iqn: 'iqn.2010-10.org.openstack:volume-1',
        target_lun: 1,
        device_path: '/dev/sdq',
      },
    }),
  );
  writeFileSync(disk, JSON.stringify({ dev: 'vdb', bus: 'virtio' }));
  return ['--connection-info', connection, '--disk-info', disk];
}

/** What a service's import of it gives, in a process of its own. */
function importKeys(specifier: string): unknown {
  const script = `console.log(JSON.stringify(Object.keys(await import('${specifier}'))))`;
  return JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '--eval', script], { cwd: service, encoding: 'utf8' }),
  );
}

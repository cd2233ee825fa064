import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Container } from 'inversify';
import ts from 'typescript';
import { type ConfigurationSource, volumeDriverModule } from '../../src/module.js';
import { TOKENS } from '../../src/tokens.js';
import { FakeTarget } from '../fakes/fake-target.js';
import { openFakeWorld } from '../fakes/fake-world.js';

const readme = readFileSync('README.md', 'utf8');
const [, code = ''] = /^```ts\n(.*?)^```/ms.exec(readme) ?? [];
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly engines: { readonly node: string };
  readonly peerDependencies: { readonly inversify: string };
};

test('the quick start of README.md compiles against the exported types', () => {
  const file = join(process.cwd(), 'test/docs/quick-start.md.ts');
  const { config } = ts.readConfigFile('tsconfig.json', (name) => readFileSync(name, 'utf8')) as {
    readonly config: unknown;
  };
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, process.cwd());
  const host = ts.createCompilerHost(options);
  const program = ts.createProgram(
    [file],
    { ...options, paths: { 'libvirt-volume-drivers': ['./src/index.ts'] } },
    {
      ...host,
      fileExists: (name) => name === file || host.fileExists(name),
      readFile: (name) => (name === file ? code : host.readFile(name)),
      getSourceFile: (name, version, ...more) =>
        name === file ? ts.createSourceFile(name, code, version) : host.getSourceFile(name, version, ...more),
    },
  );
  const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(file));
  expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
  expect(code).toContain("from 'libvirt-volume-drivers'");
}, 120_000);

test('the quick start of README.md runs as it stands, on a host in memory, and leaves nothing', async () => {
  const world = openFakeWorld();
  world.libvirt.addDomain({ name: 'web1' });
  const target = new FakeTarget({
    iqn: 'iqn.2010-10.org.openstack:volume-1',
    portals: [{ address: '192.0.2.10', port: 3260, serves: 'tcp' }],
  });
  target.units.set(1, { wwid: 'naa.60014050000000000010000000000001', sizeBytes: 1024 ** 3 });
  world.host.targets.push(target);
  const printed: string[] = [];
  const said: ConfigurationSource[] = [];
  await run(code, {
    Container: class {
      load = (): void => undefined;
      get = world.container.get.bind(world.container);
      unbindAllAsync = async (): Promise<void> => undefined;
    },
    TOKENS,
    volumeDriverModule: (source: ConfigurationSource) => {
      said.push(source);
    },
    console: { log: (line: string) => printed.push(line) },
  });
  expect(printed).toEqual(['/dev/sda over default']);
  expect({ disks: world.libvirt.disksOf('web1'), residue: await world.residue() }).toEqual({ disks: [], residue: [] });
  const container = new Container();
  container.load(volumeDriverModule(said[0]));
  expect(container.get(TOKENS.options).uri).toBe('qemu:///system');
});

test('README.md names the versions that package.json, scripts/nodes.json and the lab have', () => {
  const nodes = Object.keys(JSON.parse(readFileSync('scripts/nodes.json', 'utf8')) as object);
  const [oldest = ''] = /\d+\.\d+/.exec(manifest.engines.node) ?? [];
  const releases = [...readFileSync('lab/image/releases.txt', 'utf8').matchAll(/^(\d+) /gm)].map(([, name]) => name);
  const row = (name: string): string => new RegExp(`^\\| ${name} +\\|.*$`, 'm').exec(readme)?.[0] ?? '';
  for (const version of [oldest, ...nodes]) expect(row('Node.js')).toContain(version);
  for (const release of releases) expect(row('Debian')).toContain(release);
  expect(row('inversify')).toContain(manifest.peerDependencies.inversify);
  const lab = readFileSync('lab/README.md', 'utf8');
  for (const name of ['open-iscsi', 'libvirt'])
    for (const [version] of row(name).matchAll(/\d+\.\d+(?:\.\d+)?/g)) expect(lab).toContain(version);
});

/** Runs the block, its imports replaced by what is given. */
async function run(text: string, given: Readonly<Record<string, unknown>>): Promise<void> {
  const body = text.replaceAll(/^import .*;$/gm, '');
  const script = `const block = async (${Object.keys(given).join(', ')}) => {${body}};`;
  const { outputText } = ts.transpileModule(script, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
  });
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- the page's own
  const block = new Function(`${outputText}; return block;`)() as (...words: readonly unknown[]) => Promise<void>;
  await block(...Object.values(given));
}

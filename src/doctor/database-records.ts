import { ISCSI_PORT } from '../connection/portal.js';
import { portalOperand, recordedPortal } from '../connection/recorded-portal.js';
import { parseTargetName } from '../connection/target-name.js';
import { type OddLine, readRecord as parsed, readRecordText, type RecordValues } from '../database/record-text.js';
import type { FileSystem } from '../host/file-system.js';
import { parseIfaceName } from '../iface/iface-name.js';
import { mapLimited } from './map-limited.js';

/**
 * A record file of open-iscsi's database; `unknown` says why no volume can be of that record. The text is not kept: it
 * may hold a CHAP secret.
 */
export interface DatabaseRecord {
  readonly path: string;
  /** Lines that open-iscsi does not take as they stand there. */
  readonly oddLines: readonly OddLine[];
  readonly content:
    /** `blank`: there are bytes in it, and no line. */
    | { readonly kind: 'empty'; readonly blank: boolean }
    | { readonly kind: 'broken'; readonly reason: string }
    | {
        readonly kind: 'node';
        readonly target: string;
        readonly portal: string;
        readonly iface: string;
        readonly startup: string;
        readonly unknown: string | undefined;
      }
    | { readonly kind: 'discovery' };
}

/**
 * Every node record and every SendTargets record. The layout is that of usr/idbm.c: idbm_rec_write_new,
 * idbm_rec_write_old, idbm_discovery_write.
 */
export async function readDatabaseRecords(files: FileSystem, root: string): Promise<readonly DatabaseRecord[]> {
  const [nodes, discoveries] = await Promise.all([
    nodePaths(files, `${root}/nodes`),
    discoveryPaths(files, `${root}/send_targets`),
  ]);
  const records = [
    ...(await mapLimited(nodes, (path) => readRecord(files, path, nodeContent))),
    ...(await mapLimited(discoveries, (path) => readRecord(files, path, () => ({ kind: 'discovery' })))),
  ];
  return records.filter((record) => record !== undefined);
}

/** The path of every record below the root: of nodes, of discoveries, of ifaces. */
export async function databasePaths(files: FileSystem, root: string): Promise<readonly string[]> {
  const ifaces = (await pathsIn(files, `${root}/ifaces`)).filter((path) => !path.endsWith('/iface.example'));
  const discoveries = await mapLimited(await discoveryPaths(files, `${root}/send_targets`), async (path) =>
    (await files.kind(path)) === undefined ? [] : [path],
  );
  return [...(await nodePaths(files, `${root}/nodes`)), ...discoveries.flat(), ...ifaces];
}

/** `nodes/TARGET/ADDRESS,PORT,TAG/IFACE`; without a tag the file is `nodes/TARGET/ADDRESS,PORT`. */
async function nodePaths(files: FileSystem, folder: string): Promise<readonly string[]> {
  const portals = (await mapLimited(await pathsIn(files, folder), (target) => pathsIn(files, target))).flat();
  return (
    await mapLimited(portals, async (portal) =>
      (await files.kind(portal)) === 'file' ? [portal] : await pathsIn(files, portal),
    )
  ).flat();
}

/** `send_targets/ADDRESS,PORT/st_config`; the links beside it lead to node records. */
async function discoveryPaths(files: FileSystem, folder: string): Promise<readonly string[]> {
  return (await pathsIn(files, folder)).map((portal) => `${portal}/st_config`);
}

async function pathsIn(files: FileSystem, folder: string): Promise<readonly string[]> {
  return (await files.list(folder)).map((name) => `${folder}/${name}`);
}

async function readRecord(
  files: FileSystem,
  path: string,
  contentOf: (values: RecordValues) => DatabaseRecord['content'],
): Promise<DatabaseRecord | undefined> {
  const text = await readRecordText(files, path);
  if (text === undefined) return undefined;
  if (text.trim() === '') return { path, oddLines: [], content: { kind: 'empty', blank: text !== '' } };
  const { values, oddLines } = parsed(text);
  return { path, oddLines, content: contentOf(values) };
}

function nodeContent(values: RecordValues): DatabaseRecord['content'] {
  const [target, address] = [values.get('node.name'), values.get('node.conn[0].address')];
  if (target === undefined || address === undefined)
    return { kind: 'broken', reason: `it has no ${target === undefined ? 'node.name' : 'node.conn[0].address'}` };
  const [port, iface] = [
    values.get('node.conn[0].port') ?? String(ISCSI_PORT),
    values.get('iface.iscsi_ifacename') ?? 'default',
  ];
  return {
    kind: 'node',
    target,
    portal: portalOperand(address, Number(port)),
    iface,
    startup: values.get('node.startup') ?? 'manual',
    unknown: whyUnknown({ target, address, port, iface }),
  };
}

function whyUnknown({
  target,
  address,
  port,
  iface,
}: Readonly<Record<'target' | 'address' | 'port' | 'iface', string>>): string | undefined {
  try {
    parseTargetName(target);
    recordedPortal(address, port);
    parseIfaceName(iface);
    return undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return error.message;
    throw error;
  }
}

import type { CommandResult } from '../../src/host/command.js';
import { parseSysfsWwid } from '../../src/device/wwid.js';
import { firstFree, letters } from './letters.js';
import type { FakeTree } from './fake-tree.js';
import type { FakeUdev } from './fake-udev.js';

const WWIDS = '/etc/multipath/wwids';
const SOCKET_LINE =
  '0000000000000000: 00000002 00000000 00010000 0001 01 20010 @/org/kernel/linux/storage/multipathd\n';

interface FakeMap {
  readonly dm: string;
  readonly name: string;
  /** By what multipathd goes: what it was configured to take for the id of a disk. */
  readonly id: string;
  readonly disks: string[];
  /** In sectors, as sysfs has it. */
  size: string;
}

/**
 * Which property of udev multipathd takes for a disk's id (multipath.conf, uid_attribute): of an NAA designator
 * `36001405…`, `6001405…`, `0x6001405…`.
 */
type UidAttribute = 'ID_SERIAL' | 'ID_SERIAL_SHORT' | 'ID_WWN_WITH_EXTENSION';

/**
 * multipathd and device-mapper on a fake host: maps over disks of one id, whatever session or HBA they come from, shown
 * in the tree as sysfs shows them.
 */
export class FakeMultipathd {
  uidAttribute: UidAttribute = 'ID_SERIAL';
  /** It listens and says nothing (SIGSTOP): no request is answered, no uevent is acted on. */
  hangs = false;
  /**
   * What becomes of who asks one that hangs: nothing is heard over the socket; the programs give up after 4 s
   * (multipathd/uxclnt.c).
   */
  askedBy: 'socket' | 'program' = 'socket';
  /** As in multipath.conf: `strict` makes a map of what stands in the wwids file only. */
  findMultipaths: 'strict' | 'no' = 'strict';
  /** It enters into the wwids file each map that it makes, as the real one does (libmultipath/configure.c, domap). */
  entersMaps = false;
  /** It will not make maps of anything. */
  blacklistsAll = false;
  /** It misses the uevents of new disks, and has to be told of each. */
  isDeaf = false;
  /** It misses the uevents of disks that go: they stay in their map until it is told. */
  missesRemovals = false;
  /** What it answers to the next requests to resize a map, without doing anything. */
  readonly resizeAnswers: ('ok' | 'fail' | 'timeout')[] = [];
  /** What it answers to the next requests to stop queueing, without doing anything. */
  readonly queueingAnswers: ('fail' | 'timeout')[] = [];
  /** How many tries to remove a map find it in use. */
  busyTimes = 0;
  /** The uevents of new disks that it has not come to yet; undefined while it is quick. */
  #held: string[] | undefined;
  /** Every disk that it was told of and not of its end. */
  readonly watched = new Set<string>();
  readonly #tree: FakeTree;
  readonly #deeds: string[];
  readonly #udev: FakeUdev;
  readonly #maps: FakeMap[] = [];

  constructor(tree: FakeTree, deeds: string[], udev: FakeUdev) {
    this.#tree = tree;
    this.#deeds = deeds;
    this.#udev = udev;
  }

  start(): void {
    this.#tree.write('/proc/net/unix', SOCKET_LINE);
  }

  stop(): void {
    this.#tree.write('/proc/net/unix', '');
  }

  /** The map that holds the disk. */
  mapOf(disk: string): FakeMap | undefined {
    return this.#maps.find(({ disks }) => disks.includes(disk));
  }

  run(program: string, args: readonly string[]): CommandResult {
    const words = args.join(' ');
    if (program === 'multipath' && args[0] === '-a') return this.#remember(args[1] ?? '');
    if (program === 'multipath' && args[0] === '-w') return this.#forget(args[1] ?? '');
    if (program === 'multipath' && args[0] === '-f')
      return this.hangs
        ? { exitCode: 1, stdout: '', stderr: 'error in multipath command del map mpatha: Connection timed out\n' }
        : this.#remove(args[1] ?? '');
    if (program === 'multipath' && words.startsWith('-D -f ')) return this.#remove(args[2] ?? '');
    if (program === 'dmsetup') return this.#message(words);
    if (this.#tree.read('/proc/net/unix') !== SOCKET_LINE)
      return { exitCode: 1, stdout: '', stderr: 'ux_socket_connect: Connection refused\n' };
    if (words.startsWith('add path ')) return said(this.#add(args[2] ?? ''));
    if (words.startsWith('del path ')) {
      this.#drop(args[2] ?? '');
      return said('ok');
    }
    if (words.startsWith('del map ')) return said(this.#delete(args[2] ?? ''));
    if (words.startsWith('resize map ')) return said(this.#resize(args[2] ?? ''));
    if (words.startsWith('disablequeueing map ')) {
      const scripted = this.queueingAnswers.shift();
      if (scripted !== undefined) return said(scripted);
      this.#deeds.push(`stop queueing ${args[2] ?? ''}`);
      return said('ok');
    }
    if (words === 'show paths raw format %d') return said([...this.watched].join('\n'));
    if (words === 'show paths raw format %d %w')
      return said([...this.watched].map((disk) => `${disk} ${this.#idOf(disk) ?? ''}`).join('\n'));
    throw new Error(`A command that this multipathd does not know: ${program} ${words}`);
  }

  /** What device-mapper itself is told, with or without multipathd. */
  #message(words: string): CommandResult {
    const [, name = ''] = /^message (\S+) 0 fail_if_no_path$/.exec(words) ?? [];
    if (!this.#maps.some((map) => map.name === name))
      return { exitCode: 1, stdout: '', stderr: `Device ${name} not found\n` };
    this.#deeds.push(`fail if no path ${name}`);
    return { exitCode: 0, stdout: '', stderr: '' };
  }

  /** From now on uevents of new disks wait until `release()`. */
  hold(): void {
    this.#held ??= [];
  }

  /** It comes to all that it was told of meanwhile: a disk that has gone since is none. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const disk of held) if (this.#idOf(disk) !== undefined) this.appeared(disk);
  }

  /** The uevent of a new disk. */
  appeared(disk: string): void {
    if (this.#tree.read('/proc/net/unix') !== SOCKET_LINE || this.isDeaf || this.hangs) return;
    if (this.#held === undefined) this.#add(disk);
    else this.#held.push(disk);
  }

  /** The uevent of a disk that is gone. The map over it stays, perhaps without a path. */
  vanished(disk: string): void {
    if (!this.missesRemovals && !this.hangs) this.#drop(disk);
  }

  #drop(disk: string): void {
    this.watched.delete(disk);
    const map = this.mapOf(disk);
    if (map === undefined) return;
    map.disks.splice(map.disks.indexOf(disk), 1);
    this.#tree.remove(`/sys/class/block/${map.dm}/slaves/${disk}`);
  }

  #add(disk: string): 'ok' | 'fail' | 'blacklisted' {
    const id = this.#idOf(disk);
    if (id === undefined) return 'fail';
    if (this.blacklistsAll) return 'blacklisted';
    this.watched.add(disk);
    if (
      this.findMultipaths === 'strict' &&
      !this.#remembered().includes(`/${id}/`) &&
      !this.#maps.some((one) => one.id === id)
    )
      return 'ok';
    const map = this.#maps.find((candidate) => candidate.id === id) ?? this.#newMap(id, this.#sizeOf(disk));
    if (this.#sizeOf(disk) !== map.size) return 'fail'; // multipathd/main.c, ev_add_path: device size mismatch
    for (const one of this.watched) if (this.#idOf(one) === id && this.#sizeOf(one) === map.size) this.#join(map, one);
    this.#show(map);
    return 'ok';
  }

  #newMap(id: string, size: string): FakeMap {
    const number = firstFree((index) => this.#maps.some(({ dm }) => dm === `dm-${index}`));
    const map = { dm: `dm-${number}`, name: `mpath${letters(number)}`, id, disks: [], size };
    if (this.entersMaps && !this.#remembered().includes(`/${id}/`)) this.#remember(id);
    this.#maps.push(map);
    this.#deeds.push(`map ${map.name}`);
    return map;
  }

  #join(map: FakeMap, disk: string): void {
    if (!map.disks.includes(disk)) map.disks.push(disk);
    this.#tree.symbolicLink(
      `${this.#tree.resolve(`/sys/class/block/${disk}`) ?? ''}/holders/${map.dm}`,
      `/sys/class/block/${map.dm}`,
    );
  }

  #show({ dm, name, id, disks, size }: FakeMap): void {
    const folder = `/sys/class/block/${dm}`;
    for (const [file, text] of Object.entries({
      'dm/uuid': `mpath-${id}\n`,
      'dm/name': `${name}\n`,
      'dm/suspended': '0\n',
      size,
      dev: `253:${dm.slice(3)}\n`,
    }))
      this.#tree.write(`${folder}/${file}`, text);
    for (const disk of disks) this.#tree.symbolicLink(`${folder}/slaves/${disk}`, `/sys/class/block/${disk}`);
    this.#tree.blockDevice(`/dev/${dm}`);
    this.#udev.mapAppeared(dm, id);
  }

  /** As of 0.9.8: not unless all paths are of one size (multipathd/cli_handlers.c, cli_resize). */
  #resize(name: string): 'ok' | 'fail' | 'timeout' {
    const scripted = this.resizeAnswers.shift();
    if (scripted !== undefined) return scripted;
    const map = this.#maps.find((candidate) => candidate.name === name);
    const [size, ...others] = new Set(map?.disks.map((disk) => this.#sizeOf(disk)));
    if (map === undefined || size === undefined || others.length > 0) return 'fail';
    this.#deeds.push(`resize ${name}`);
    map.size = size;
    this.#show(map);
    return 'ok';
  }

  #delete(name: string): 'ok' | 'fail' {
    if (!this.#maps.some((candidate) => candidate.name === name)) return 'fail';
    return this.#remove(name).exitCode === 0 ? 'ok' : 'fail';
  }

  #remove(name: string): CommandResult {
    const map = this.#maps.find((candidate) => candidate.name === name);
    if (map === undefined) return { exitCode: 0, stdout: '', stderr: '' };
    if (this.busyTimes > 0) {
      this.busyTimes -= 1;
      return { exitCode: 1, stdout: '', stderr: `${name}: map in use\n` };
    }
    for (const disk of map.disks)
      this.#tree.remove(`${this.#tree.resolve(`/sys/class/block/${disk}`) ?? ''}/holders/${map.dm}`);
    for (const path of [`/sys/class/block/${map.dm}`, `/dev/${map.dm}`]) this.#tree.remove(path);
    this.#udev.vanished(map.dm);
    this.#maps.splice(this.#maps.indexOf(map), 1);
    this.#deeds.push(`remove ${name}`);
    return { exitCode: 0, stdout: '', stderr: '' };
  }

  #remember(wwid: string): CommandResult {
    this.#tree.write(WWIDS, [...this.#remembered(), `/${wwid}/`, ''].join('\n'));
    return said(`wwid '${wwid}' added`);
  }

  #forget(wwid: string): CommandResult {
    this.#tree.write(WWIDS, [...this.#remembered().filter((line) => line !== `/${wwid}/`), ''].join('\n'));
    return said(`wwid '${wwid}' removed`);
  }

  #remembered(): readonly string[] {
    return (this.#tree.read(WWIDS) ?? '').split('\n').filter((line) => line !== '');
  }

  #sizeOf(disk: string): string {
    return this.#tree.read(`/sys/class/block/${disk}/size`) ?? '0\n';
  }

  #idOf(disk: string): string | undefined {
    const folder = this.#tree.resolve(`/sys/class/block/${disk}`);
    const wwid = folder === undefined ? undefined : parseSysfsWwid(this.#tree.read(`${folder}/../../wwid`) ?? '');
    const short = wwid?.slice(1);
    return {
      ID_SERIAL: wwid,
      ID_SERIAL_SHORT: short,
      ID_WWN_WITH_EXTENSION: short === undefined ? undefined : `0x${short}`,
    }[this.uidAttribute];
  }
}

function said(stdout: string): CommandResult {
  return { exitCode: 0, stdout: `${stdout}\n`, stderr: '' };
}

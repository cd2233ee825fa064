import type { Command } from '../../host/command.js';
import type { MapId } from '../block-device.js';

/**
 * multipathd answers its clients within 4 s, or with "timeout" (multipath-tools, multipathd/main.c, uxsock_timeout).
 */
const ANSWER_MS = 10_000;
/**
 * Removing a map waits for what is under way on it; the SCSI timeout is 30 s (Linux, drivers/scsi/sd.h, SD_TIMEOUT).
 */
const FLUSH_MS = 60_000;

/**
 * Enters the id into /etc/multipath/wwids: without it, `find_multipaths` = strict makes no map, and yes makes one of
 * two paths or more only.
 */
export function rememberIdCommand(id: MapId): Command {
  return ask('multipath', ANSWER_MS, '-a', id);
}

/** Takes the id out of /etc/multipath/wwids. */
export function forgetIdCommand(id: MapId): Command {
  return ask('multipath', ANSWER_MS, '-w', id);
}

/**
 * Makes multipathd look at a path now, not at its next uevent. It answers `ok`, `fail` or `blacklisted`, always with
 * exit status 0 up to 0.9.4.
 */
export function addPathCommand(disk: string): Command {
  return ask('multipathd', ANSWER_MS, 'add', 'path', disk);
}

/**
 * What `multipath -f` has multipathd do first (multipath-tools, multipath/main.c, delegate_to_multipathd): it flushes
 * the map and removes it, with the maps over its partitions.
 */
export function deleteMapCommand(name: string): Command {
  return ask('multipathd', FLUSH_MS, 'del', 'map', name);
}

/**
 * Where multipathd does not run, or could not. By the map's name: with friendly names, `multipath -f WWID` does nothing
 * and says that it did (LP1663925). Removes the maps over its partitions as well.
 */
export function removeMapCommand(name: string): Command {
  return ask('multipath', FLUSH_MS, '-f', name);
}

/**
 * The same without asking multipathd at all (multipath/main.c, skip_delegate; 0.8.5 and later, older ones ask it
 * never): for one that hangs, on which `multipath -f` of later releases waits, and then gives up.
 */
export function removeMapAloneCommand(name: string): Command {
  return ask('multipath', FLUSH_MS, '-D', '-f', name);
}

/** Makes I/O fail where no path is left, rather than wait for one for ever. */
export function stopQueueingCommand(name: string): Command {
  return ask('multipathd', ANSWER_MS, 'disablequeueing', 'map', name);
}

/**
 * The same, said to the kernel (Linux, drivers/md/dm-mpath.c, multipath_message): for a multipathd that does not run or
 * does not answer.
 */
export function failIfNoPathCommand(name: string): Command {
  return {
    program: 'dmsetup',
    args: ['message', name, '0', 'fail_if_no_path'],
    patience: { kind: 'kill', ms: ANSWER_MS },
  };
}

/**
 * Gives a map the size of its paths. It answers `ok`, `fail`, or `timeout` while it reconfigures, with exit status 0
 * whatever the words up to 0.9.4. Up to 0.9.7 it goes by the first path alone and says `ok` where that one has not
 * grown; later ones refuse unless all paths are of one size (multipath-tools, multipathd/cli_handlers.c, cli_resize).
 */
export function resizeMapCommand(name: string): Command {
  return ask('multipathd', ANSWER_MS, 'resize', 'map', name);
}

/** The disks that multipathd watches, one name a line. */
export function listPathsCommand(): Command {
  return ask('multipathd', ANSWER_MS, 'show', 'paths', 'raw', 'format', '%d');
}

/**
 * The disks that multipathd watches with what it calls each, as `sda 36001405…` (multipath-tools, libmultipath/print.c,
 * pd[]).
 */
export function listPathIdsCommand(): Command {
  return ask('multipathd', ANSWER_MS, 'show', 'paths', 'raw', 'format', '%d %w');
}

/**
 * Takes the disk out of its map, which goes on with the others, and has multipathd watch it no more
 * (multipathd/cli_handlers.c, cli_del_path).
 */
export function forgetPathCommand(disk: string): Command {
  return ask('multipathd', ANSWER_MS, 'del', 'path', disk);
}

function ask(program: 'multipath' | 'multipathd', ms: number, ...args: readonly string[]): Command {
  return { program, args, patience: { kind: 'kill', ms } };
}

import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';
import { ifSeen } from '../seen.js';

const START = 'systemctl start multipathd';
/** `yes`: a map as soon as there are two paths of one volume, and none over a single disk. */
const MEND =
  'mkdir -p /etc/multipath/conf.d && printf "defaults {\\n  find_multipaths yes\\n}\\n" >> ' +
  '/etc/multipath/conf.d/libvirt-volume.conf && multipathd reconfigure';
/** multipath.conf(5): with these multipathd makes a map of a single path as well. `no` prints as `off`. */
const TAKES_ALL: readonly (string | undefined)[] = ['off', 'no', 'greedy'];

/**
 * Whether a volume's paths would get a map, where `volume_use_multipath` asks for one: multipathd must run; whatever
 * its `find_multipaths` says, it makes maps of WWIDs that are entered (the scenario multipath shows each setting). And
 * whether volumes of one path would get one that nobody asked for.
 */
export function checkMultipath({
  multipath,
  options: { useMultipath, enforceMultipath },
}: HostState): readonly Finding[] {
  return ifSeen(multipath, ({ daemonRuns, config }) => {
    const mode = findMultipaths(config ?? '');
    if (!useMultipath) {
      if (!daemonRuns || !TAKES_ALL.includes(mode)) return [];
      return [
        finding(
          'MULTIPATHD_TAKES_ALL',
          `multipathd has find_multipaths = ${mode ?? ''}, and makes a map of every volume though ` +
            'volume_use_multipath is false',
          MEND,
        ),
      ];
    }
    if (daemonRuns)
      return [
        finding('MULTIPATH_READY', `multipathd runs${mode === undefined ? '' : `, with find_multipaths = ${mode}`}`),
      ];
    if (enforceMultipath)
      return [
        finding('MULTIPATHD_NOT_RUNNING', 'volume_enforce_multipath is true, and multipathd does not run', START),
      ];
    return [
      finding(
        'ONE_PATH_ONLY',
        'volume_use_multipath is true, and multipathd does not run: volumes come over one path',
        START,
      ),
    ];
  });
}

/**
 * `find_multipaths "strict"` in the section `defaults` of what `multipathd show config local` prints
 * (multipath.conf(5)).
 */
function findMultipaths(config: string): string | undefined {
  const [, defaults = ''] = /^defaults \{$([\s\S]*?)^\}/m.exec(config) ?? [];
  return /^\s*find_multipaths\s+"?(\w+)"?\s*$/m.exec(defaults)?.[1];
}

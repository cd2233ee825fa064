import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';
import { ifSeen } from '../seen.js';

/** `yes`: a map as soon as there are two paths. Not `no`, which would put one over every local disk as well. */
const MEND = 'mkdir -p /etc/multipath/conf.d && printf "defaults {\\n  find_multipaths yes\\n}\\n" > /etc/multipath/conf.d/libvirt-volume.conf && multipathd reconfigure';

/** Whether a volume's paths would get a map, where `volume_use_multipath` asks for one. */
export function checkMultipath({ multipath, options: { useMultipath } }: HostState): readonly Finding[] {
  if (!useMultipath) return [];
  return ifSeen(multipath, ({ daemonRuns, config }) => {
    if (!daemonRuns) return [finding('MULTIPATHD_NOT_RUNNING', 'volume_use_multipath is true, and multipathd does not run', 'systemctl start multipathd')];
    const mode = findMultipaths(config ?? '');
    if (mode === 'strict') {
      return [finding('FIND_MULTIPATHS_STRICT', 'multipathd has find_multipaths = strict: it makes no map of a volume that it has not seen before', MEND)];
    }
    return [finding('MULTIPATH_READY', `multipathd runs${mode === undefined ? '' : `, with find_multipaths = ${mode}`}`)];
  });
}

/** `find_multipaths "strict"` in the section `defaults` of what `multipathd show config local` prints (multipath.conf(5)). */
function findMultipaths(config: string): string | undefined {
  const [, defaults = ''] = /^defaults \{$([\s\S]*?)^\}/m.exec(config) ?? [];
  return /^\s*find_multipaths\s+"?(\w+)"?\s*$/m.exec(defaults)?.[1];
}

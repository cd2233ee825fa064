import { finding, type Finding } from '../finding.js';
import type { HostState } from '../host-state.js';

/** Which options are in force. A config file that cannot be used never gets here: it is refused as `CONFIG_INVALID`. */
export function checkConfig({ configOrigin }: HostState): readonly Finding[] {
  return [finding('CONFIG_READ', `the options come from ${configOrigin}`)];
}

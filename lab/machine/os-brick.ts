import { run } from './commands.js';

/** How long os-brick took for all volumes at once, in milliseconds. */
export interface OsBrickTimes {
  readonly connectMs: number;
  readonly disconnectMs: number;
  /** In its own words. */
  readonly failed: readonly string[];
}

const LIMIT_MS = 600_000;

/** os-brick as a compute service has it: one process, a thread for each volume, its commands run by root at once. */
const PROGRAM = `
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from os_brick.initiator.connectors.iscsi import ISCSIConnector
import os_brick
from oslo_config import cfg
os_brick.setup(cfg.CONF)
cfg.CONF([], project='lab')
cfg.CONF.set_override('lock_path', '/run/lab', group='oslo_concurrency')
from os_brick.privileged import rootwrap
def execute(*args, **kwargs):
    kwargs.pop('run_as_root', None); kwargs.pop('root_helper', None)
    return rootwrap.custom_execute(*args, **kwargs)  # what it runs as root, less the process that is root
def connector():
    one = ISCSIConnector(None, execute=execute, transport='default')
    one._execute = one._linuxscsi._execute = execute
    return one
volumes = json.load(sys.stdin)
failed = []
def timed(work, items):
    began = time.monotonic()
    def tried(item):
        try:
            return work(item)
        except Exception as error:
            failed.append(repr(error)[:300])
    with ThreadPoolExecutor(len(volumes)) as pool:
        results = list(pool.map(tried, items))
    return (time.monotonic() - began) * 1000, results
connected, devices = timed(lambda data: connector().connect_volume(data), volumes)
disconnected, _ = timed(lambda pair: connector().disconnect_volume(*pair), list(zip(volumes, devices)))
print(json.dumps({'connectMs': connected, 'disconnectMs': disconnected, 'failed': failed}))
`;

/** Connects the volumes with os-brick, all at once, and disconnects them again. */
export async function osBrickAtOnce(infos: readonly { readonly data: object }[]): Promise<OsBrickTimes> {
  const input = JSON.stringify(infos.map(({ data }) => data));
  const lines = (await run('python3', ['-c', PROGRAM], { input, timeoutMs: LIMIT_MS })).trim().split('\n');
  return JSON.parse(lines.at(-1) ?? '') as OsBrickTimes;
}

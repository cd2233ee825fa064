// takes: 10 s
// limit: 900 s
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { NodeFileSystem } from '../../src/host/node/node-file-system.js';
import { SYSTEM_NET_ADDRESSES } from '../../src/host/node/system-net-addresses.js';
import { checkReversePath, type ReversePathFinding } from '../../src/preflight/check-rp-filter.js';
import { ifaceRecord } from '../../src/iface/name-iface.js';
import { pairPaths } from '../../src/preflight/pair-portals.js';
import { readHardware } from '../../src/hardware/read-hardware.js';
import { readReversePath } from '../../src/hardware/read-rp-filter.js';
import { run, tryRun } from '../machine/commands.js';
import { after, before, test } from '../machine/scenario.js';

/**
 * What the kernel does to sockets that are bound to two NICs in one network, and whether the findings and their
 * commands are right. The portal is in a network namespace.
 */
const files = new NodeFileSystem();
const PORTAL = { address: '10.97.0.10', port: 3260 };
const NICS = { niga: '10.97.0.1', nigb: '10.97.0.2' } as const;
type Nic = keyof typeof NICS;
const IFACES = Object.keys(NICS).map((netIfacename) =>
  ifaceRecord({ transport: 'tcp', hwaddress: undefined, ipaddress: undefined, netIfacename }),
);

const LISTEN = `import socket
s = socket.create_server(("${PORTAL.address}", ${PORTAL.port}))
while True: s.accept()`;
/** As iscsid does: SO_BINDTODEVICE, then connect (usr/io.c, bind_conn_to_iface). */
const CONNECT = `import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[1].encode())
s.settimeout(4)
try: s.connect((sys.argv[2], int(sys.argv[3]))); print("connected from", s.getsockname()[0])
except TimeoutError: print("timed out")`;
const SEND = `import socket, sys
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], 9))`;

let listener: ChildProcess | undefined;

before(async () => {
  await run('modprobe', ['bridge']);
  await run('ip', ['netns', 'add', 'storage']);
  const inside = ['-n', 'storage'];
  await run('ip', [...inside, 'link', 'add', 'br0', 'type', 'bridge']);
  await run('ip', [...inside, 'address', 'add', `${PORTAL.address}/24`, 'dev', 'br0']);
  for (const [nic, address] of Object.entries(NICS)) {
    await run('ip', ['link', 'add', nic, 'type', 'veth', 'peer', 'name', `${nic}p`, 'netns', 'storage']);
    await run('ip', [...inside, 'link', 'set', `${nic}p`, 'master', 'br0', 'up']);
    await run('ip', ['address', 'add', `${address}/24`, 'dev', nic]);
    await run('ip', ['link', 'set', nic, 'up']);
  }
  await run('ip', [...inside, 'link', 'set', 'br0', 'up']);
  listener = spawn('ip', ['netns', 'exec', 'storage', 'python3', '-c', LISTEN], { stdio: 'ignore' });
  for (let tries = 0; (await connect('niga')) !== `connected from ${NICS.niga}`; tries++)
    assert.ok(tries < 20, 'the listener does not come');
});

after(async () => {
  listener?.kill();
  for (const nic of Object.keys(NICS)) await tryRun('ip', ['link', 'delete', nic]);
  await tryRun('ip', ['netns', 'delete', 'storage']);
});

test('pairPaths() pairs both NICs with the portal of their network', async () => {
  const { pairs, leftOut } = pairPaths(IFACES, [PORTAL], await hardware());
  assert.deepEqual([pairs.map(({ iface }) => iface.netIfacename), leftOut], [Object.keys(NICS), []]);
});

test('REPLIES_DROPPED: strict rp_filter makes one of two NICs time out, until its command was run', async () => {
  await set('rp_filter', 1);
  await set('arp_ignore', 1);
  const [finding, ...others] = await findings();
  assert.deepEqual([finding?.code, finding?.devices, others], ['REPLIES_DROPPED', Object.keys(NICS), []]);
  assert.deepEqual([await connect('niga'), await connect('nigb')].toSorted(), [
    `connected from ${NICS.niga}`,
    'timed out',
  ]);
  await mend(finding);
  assert.deepEqual(await findings(), []);
  for (const nic of ['niga', 'nigb'] as const) assert.equal(await connect(nic), `connected from ${NICS[nic]}`);
});

test('ARP_FLUX: the portal resolves both addresses to one MAC, until its command was run', async () => {
  await set('rp_filter', 2);
  await set('arp_ignore', 0);
  const [finding, ...others] = await findings();
  assert.deepEqual([finding?.code, finding?.devices, others], ['ARP_FLUX', Object.keys(NICS), []]);
  const macs = (await hardware()).netDevices.flatMap(({ name, hwaddress }) => (name in NICS ? [hwaddress] : []));
  const wrong = await askedAnew();
  assert.equal(new Set(wrong).size, 1, `the portal has ${wrong.join(' and ')}`);
  await mend(finding);
  assert.deepEqual(await findings(), []);
  assert.deepEqual(await askedAnew(), macs);
});

async function hardware(): ReturnType<typeof readHardware> {
  return await readHardware(files, SYSTEM_NET_ADDRESSES.list());
}

async function findings(): Promise<readonly ReversePathFinding[]> {
  const now = await hardware();
  const settings = await readReversePath(
    files,
    now.netDevices.map(({ name }) => name),
  );
  assert.ok(settings);
  return checkReversePath(IFACES, now, settings);
}

async function mend(finding: ReversePathFinding | undefined): Promise<void> {
  const [program = '', ...args] = (finding?.hint ?? '').split(' ');
  await run(program, args);
}

async function set(key: string, value: number): Promise<void> {
  await run('sysctl', ['-w', ...Object.keys(NICS).map((nic) => `net.ipv4.conf.${nic}.${key}=${value}`)]);
}

async function connect(nic: Nic): Promise<string> {
  return (await tryRun('python3', ['-c', CONNECT, nic, PORTAL.address, String(PORTAL.port)])).stdout.trim();
}

/** The MACs that the portal's host has for the two addresses once it has forgotten and asked. */
async function askedAnew(): Promise<readonly (string | undefined)[]> {
  await run('ip', ['-n', 'storage', 'neigh', 'flush', 'all']);
  return await Promise.all(
    Object.values(NICS).map(async (address) => {
      await run('ip', ['netns', 'exec', 'storage', 'python3', '-c', SEND, address]);
      await sleep(500);
      return / lladdr (\S+)/.exec(await run('ip', ['-n', 'storage', 'neigh', 'show', address]))?.[1];
    }),
  );
}

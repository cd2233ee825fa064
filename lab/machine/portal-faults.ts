import { run } from './commands.js';

export type PortalFault = 'drop' | 'reject' | 'reject-tcp';

/**
 * Makes an address of the lab machine silent (`drop`) or refusing (`reject`) until the result is disposed of, which may
 * be twice; `reject-tcp` lets RDMA, which is UDP here, through.
 */
export async function faultyPortal(address: string, fault: PortalFault): Promise<AsyncDisposable> {
  const table = `lab_${address.replaceAll(/[^0-9a-f]/gi, '_')}`;
  const family = address.includes(':') ? 'ip6' : 'ip';
  const verdict = fault === 'drop' ? 'drop' : 'reject with tcp reset';
  const overUdp = fault === 'reject-tcp' ? 'accept' : fault;
  await run('nft', ['-f', '-'], {
    input:
      `table inet ${table} { chain input { type filter hook input priority 0; ${family} daddr ${address} meta ` +
      `l4proto tcp ${verdict}; }\n` +
      `chain output { type filter hook output priority 0; ${family} daddr ${address} meta l4proto udp ${overUdp}; ` +
      `}\n}\n`,
  });
  let stands = true;
  return {
    [Symbol.asyncDispose]: async () => {
      if (!stands) return;
      stands = false;
      await run('nft', ['delete', 'table', 'inet', table]);
    },
  };
}

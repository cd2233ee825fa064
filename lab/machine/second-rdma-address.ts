import { readdirSync, readFileSync } from 'node:fs';
import { run } from './commands.js';
import { setUp } from './undo.js';
import { waitFor } from './wait-for.js';

/** A second address of the machine's soft RoCE device, and so a second portal that RDMA reaches. */
export const SECOND_ISER_ADDRESS = '10.98.0.2';

const GIDS = '/sys/class/infiniband/rxe0/ports/1/gids';
/** As an RDMA port names an IPv4 address: mapped into IPv6. */
const GID = '0000:0000:0000:0000:0000:ffff:0a62:0002';

/** The address is there until the result is disposed of. */
export async function addSecondRdmaAddress(): Promise<AsyncDisposable> {
  const address = ['addr', 'add', `${SECOND_ISER_ADDRESS}/24`, 'dev', 'rdma0'];
  return await setUp(async (undo) => {
    await run('ip', address);
    undo.add(() => run('ip', address.with(1, 'del')));
    await waitFor('the port to have the second address', () => readdirSync(GIDS).some((index) => gidAt(index) === GID));
    return undo;
  });
}

function gidAt(index: string): string {
  try {
    return readFileSync(`${GIDS}/${index}`, 'utf8').trim();
  } catch {
    return ''; // an entry that is not in use
  }
}

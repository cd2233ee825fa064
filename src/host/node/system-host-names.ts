import { lookup } from 'node:dns/promises';
import { unlessAborted } from '../../base/aborted.js';
import { canonicalAddress } from '../../base/ip-address.js';
import { shellWords } from '../../base/quoted.js';
import { VolumeError } from '../../base/volume-error.js';
import type { HostNames } from '../host-names.js';

/** Two resolvers of resolv.conf(5), each asked twice for 5 s at most, as its defaults are. */
const PATIENCE_MS = 20_000;

/** getaddrinfo(3). It cannot be interrupted: when the wait ends, the question is left to end. */
export const SYSTEM_HOST_NAMES: HostNames = {
  lookup: async (name, signal) => {
    const late = new AbortController();
    const limit = setTimeout(() => {
      late.abort(unresolved(name, `no answer in ${PATIENCE_MS / 1000} s`));
    }, PATIENCE_MS);
    try {
      const answers = await unlessAborted(
        lookup(name, { all: true, order: 'verbatim' }).catch((error: unknown) => {
          throw unresolved(name, wordsOf(error), error);
        }),
        AbortSignal.any([signal, late.signal]),
      );
      return [...new Set(answers.map(({ address }) => canonicalAddress(address)))];
    } finally {
      clearTimeout(limit);
    }
  },
};

function unresolved(name: string, why: string, cause?: unknown): VolumeError {
  return new VolumeError('PORTAL_UNREACHABLE', `Cannot resolve the host name ${name}: ${why}`, {
    cause,
    hint: `ask this host's resolver: getent ahosts ${shellWords(name)}`,
  });
}

/** Only the code: the message of getaddrinfo holds no more. */
function wordsOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOTFOUND' ? 'it has no address' : `the resolver says ${String(code)}`;
}

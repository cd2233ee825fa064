import type { IncomingMessage } from 'node:http';
import { VolumeError } from '../../src/base/volume-error.js';

/** A connection_info is a few KiB. */
const MOST_BYTES = 1_048_576;

/**
 * @throws {VolumeError} `USAGE` when the body is too long, or is not a JSON object. It is never quoted: it holds
 * passwords.
 */
export async function readBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new VolumeError('USAGE', `The body is longer than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  const body = parse(Buffer.concat(chunks).toString('utf8'));
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Readonly<Record<string, unknown>>;
  throw new VolumeError('USAGE', 'The body is not a JSON object: expected { "connection_info": …, "disk_info": … }');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

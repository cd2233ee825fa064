import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { VolumeError } from '../../src/base/volume-error.js';
import type { VolumeDriver } from '../../src/driver/volume-driver.js';
import { type DomainRef, parseDomainRef } from '../../src/libvirt/libvirt.js';
import { failureReply, type Reply } from './failure-reply.js';
import { readBody } from './read-body.js';

export interface ComputeServiceParts {
  /** `driver_volume_type` to driver: what the module binds as `TOKENS.driverFor`. */
  readonly driverFor: (volumeType: string) => VolumeDriver;
  /** How long running requests may go on after stop() before they are aborted and undone. */
  readonly graceMs: number;
}

const VOLUMES = /^\/domains\/([^/]+)\/volumes$/;

/** Attaches volumes to guests over HTTP. It keeps no memory of volumes: each request names the whole volume. */
export class ComputeService {
  readonly #parts: ComputeServiceParts;
  readonly #server: Server;
  readonly #stopping = new AbortController();

  constructor(parts: ComputeServiceParts) {
    this.#parts = parts;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** @returns the port, which the system chooses when it is 0 */
  async listen(port: number, host = '127.0.0.1'): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, host, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Takes no more requests, lets those that run end, and aborts them after the time of grace: the driver undoes what it
   * began.
   */
  async stop(): Promise<void> {
    const grace = setTimeout(() => {
      this.#stopping.abort(new VolumeError('ABORTED', 'The service is shutting down'));
    }, this.#parts.graceMs);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(grace);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body, headers } = await this.#answer(request).catch(failureReply);
    // The connection ends with the answer, so that stop() waits for work and not for clients that keep theirs open.
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close', ...headers });
    response.end(body === undefined ? undefined : `${JSON.stringify(body)}\n`);
  }

  async #answer(request: IncomingMessage): Promise<Reply> {
    const [, domain] = VOLUMES.exec(new URL(request.url ?? '/', 'http://service').pathname) ?? [];
    if (domain === undefined)
      return { status: 404, body: { error: { code: 'NOT_FOUND', message: 'There is only /domains/:domain/volumes' } } };
    switch (request.method) {
      case 'POST':
        return this.#attach(asDomain(domain), await readBody(request));
      case 'DELETE':
        return this.#detach(asDomain(domain), await readBody(request));
      default:
        return {
          status: 405,
          headers: { allow: 'POST, DELETE' },
          body: { error: { code: 'METHOD_NOT_ALLOWED', message: 'Use POST or DELETE' } },
        };
    }
  }

  async #attach(domain: DomainRef, body: Readonly<Record<string, unknown>>): Promise<Reply> {
    const info = body['connection_info'];
    const { volume, diskXml } = await this.#driverFor(info).attach(domain, info, body['disk_info'], {
      signal: this.#stopping.signal,
    });
    return {
      status: 201,
      body: { device: volume.device.path, disk_xml: diskXml, transport: volume.transport, warnings: volume.warnings },
    };
  }

  async #detach(domain: DomainRef, body: Readonly<Record<string, unknown>>): Promise<Reply> {
    const info = body['connection_info'];
    const { found, warnings } = await this.#driverFor(info).detach(domain, info, { signal: this.#stopping.signal });
    return { status: 200, body: { detached: found, warnings } };
  }

  #driverFor(info: unknown): VolumeDriver {
    const type = (info as { readonly driver_volume_type?: unknown } | null | undefined)?.driver_volume_type;
    if (typeof type !== 'string')
      throw new VolumeError(
        'CONNECTION_INFO_INVALID',
        'connection_info.driver_volume_type is missing: expected a text such as "iscsi"',
      );
    return this.#parts.driverFor(type);
  }
}

function asDomain(text: string): DomainRef {
  try {
    return parseDomainRef(decodeURIComponent(text));
  } catch (cause) {
    throw new VolumeError('USAGE', 'The path does not name a domain', { cause });
  }
}

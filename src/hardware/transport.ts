/** Every transport of open-iscsi (usr/transport.c, the `iscsi_templates`), the names as the kernel registers them. */
export const TRANSPORTS = ['tcp', 'iser', 'cxgb3i', 'cxgb4i', 'bnx2i', 'qla4xxx', 'be2iscsi', 'ocs', 'qedi'] as const;
export type Transport = (typeof TRANSPORTS)[number];

export function isTransport(text: string): text is Transport {
  return (TRANSPORTS as readonly string[]).includes(text);
}

/**
 * Numbers of libvirt's RPC protocol. They are part of its ABI: a number, once given, keeps its meaning in every later
 * release. Source: libvirt, src/rpc/virnetprotocol.x, src/rpc/virkeepaliveprotocol.x, src/remote/remote_protocol.x.
 */
export const REMOTE_PROGRAM = { number: 0x20008086, version: 1 } as const;
export const KEEPALIVE_PROGRAM = { number: 0x6b656570, version: 1 } as const;

/** enum virNetMessageType */
export const MESSAGE_TYPE = { call: 0, reply: 1, message: 2 } as const;

/** enum virNetMessageStatus */
export const MESSAGE_STATUS = { ok: 0, error: 1 } as const;

/** VIR_NET_MESSAGE_MAX: the longest message, without its four bytes of length. */
export const LONGEST_MESSAGE = 16_777_216;

/** VIR_NET_MESSAGE_LEN_MAX and VIR_NET_MESSAGE_HEADER_MAX. */
export const LENGTH_BYTES = 4;
export const HEADER_BYTES = 24;

/** REMOTE_STRING_MAX */
export const LONGEST_STRING = 4_194_304;

/** REMOTE_DOMAIN_LIST_MAX */
export const MOST_DOMAINS = 16_384;

/** REMOTE_AUTH_TYPE_LIST_MAX */
export const MOST_AUTH_TYPES = 20;

/** VIR_UUID_BUFLEN */
export const UUID_BYTES = 16;

/** enum remote_auth_type */
export const AUTH_TYPE = { none: 0, sasl: 1, polkit: 2 } as const;

/** enum keepalive_procedure */
export const KEEPALIVE = { ping: 1, pong: 2 } as const;

/** enum remote_procedure, as far as it is used here */
export const PROCEDURE = {
  connectOpen: 1,
  connectClose: 2,
  domainGetXmlDesc: 14,
  domainLookupByName: 23,
  domainLookupByUuid: 24,
  authList: 66,
  authPolkit: 70,
  secretDefineXml: 142,
  secretSetValue: 144,
  secretUndefine: 146,
  secretLookupByUsage: 147,
  domainIsActive: 150,
  domainIsPersistent: 151,
  domainAttachDeviceFlags: 160,
  domainDetachDeviceFlags: 161,
  domainUpdateDeviceFlags: 174,
  domainBlockJobAbort: 237,
  domainGetBlockJobInfo: 238,
  domainBlockResize: 251,
  connectListAllDomains: 273,
  domainEventCallbackRegisterAny: 316,
  domainEventCallbackDeregisterAny: 317,
  domainEventCallbackDeviceRemoved: 333,
  domainBlockCopy: 345,
} as const;

/** VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED (include/libvirt/libvirt-domain.h) */
export const EVENT_DEVICE_REMOVED = 15;

/** virDomainModificationImpact (include/libvirt/libvirt-domain.h) */
export const AFFECT = { live: 1, config: 2 } as const;

/** VIR_DOMAIN_XML_INACTIVE (include/libvirt/libvirt-domain.h) */
export const XML_INACTIVE = 2;

/** VIR_DOMAIN_BLOCK_RESIZE_BYTES (include/libvirt/libvirt-domain.h): the size is in bytes, not KiB */
export const RESIZE_IN_BYTES = 1;

/**
 * virDomainBlockCopyFlags (include/libvirt/libvirt-domain.h). Without the second, which is there since libvirt 3.5.0, a
 * persistent guest's disk is not copied at all ("domain is not transient"): QEMU cannot go on with a copy after the
 * guest has ended and started again.
 */
export const BLOCK_COPY = { reuseExisting: 2, transientJob: 4 } as const;

/** virDomainBlockJobAbortFlags (include/libvirt/libvirt-domain.h) */
export const BLOCK_JOB_ABORT = { pivot: 2 } as const;

/** virDomainBlockJobType (include/libvirt/libvirt-domain.h), as far as it is used here */
export const BLOCK_JOB_TYPE = { copy: 2 } as const;

/** VIR_SECRET_USAGE_TYPE_VOLUME (include/libvirt/libvirt-secret.h) */
export const SECRET_USAGE = { volume: 1 } as const;

/** virErrorNumber (include/libvirt/virterror.h), as far as a caller's next step depends on it */
export const LIBVIRT_ERROR = {
  noDomain: 42,
  authFailed: 45,
  noSecret: 66,
  authCancelled: 79,
  accessDenied: 88,
  authUnavailable: 94,
} as const;

/** How open-iscsi takes the value of a key (usr/idbm.c, idbm_rec_update_param). */
export type KeyType =
  /** strlcpy() into so many bytes, the terminator among them. */
  | { readonly kind: 'text'; readonly bytes: number }
  /** strtoul(value, NULL, 10), and as many bits of it as there is room for. */
  | { readonly kind: 'number'; readonly bits: 8 | 16 | 32; readonly signed: boolean }
  /** One of the words, to the letter; any other leaves what was there. */
  | { readonly kind: 'choice'; readonly words: readonly string[] }
  /** Words with commas or blanks between them; others are left out. */
  | { readonly kind: 'list'; readonly words: readonly string[] };

const NUMBER = { kind: 'number', bits: 32, signed: true } as const;
const UINT8 = { kind: 'number', bits: 8, signed: false } as const;
const UINT16 = { kind: 'number', bits: 16, signed: false } as const;
const UINT32 = { kind: 'number', bits: 32, signed: false } as const;
const WORD = { kind: 'text', bytes: 80 } as const;
const AUTH = { kind: 'text', bytes: 256 } as const;
/** NI_MAXHOST */
const HOST = { kind: 'text', bytes: 1_025 } as const;
const NO_YES = choice('No', 'Yes');
const AUTH_METHOD = choice('None', 'CHAP');
const DIGEST = choice('None', 'CRC32C', 'CRC32C,None', 'None,CRC32C');
const STARTUP = choice('manual', 'automatic', 'onboot');

const NODE: Readonly<Record<string, KeyType>> = {
  'node.name': { kind: 'text', bytes: 255 },
  ...each(HOST, 'node.discovery_address', 'node.conn[0].address'),
  ...each(STARTUP, 'node.startup', 'node.conn[0].startup'),
  'node.discovery_type': choice('send_targets', 'isns', 'offload_send_targets', 'slp', 'static', 'fw'),
  'node.session.scan': choice('manual', 'auto'),
  'node.session.auth.authmethod': AUTH_METHOD,
  'node.session.auth.chap_algs': { kind: 'list', words: ['MD5', 'SHA1', 'SHA256', 'SHA3-256'] },
  ...each(AUTH, ...below('node.session.auth', 'username', 'password', 'username_in', 'password_in')),
  ...each(
    NO_YES,
    'node.leading_login',
    ...below('node.session.iscsi', 'FastAbort', 'InitialR2T', 'ImmediateData'),
    ...below('node.conn[0].iscsi', 'IFMarker', 'OFMarker'),
  ),
  ...each(DIGEST, ...below('node.conn[0].iscsi', 'HeaderDigest', 'DataDigest')),
  ...each(
    NUMBER,
    'node.tpgt',
    'node.discovery_port',
    'node.conn[0].port',
    ...below(
      'node.session',
      'initial_cmdsn',
      'initial_login_retry_max',
      'xmit_thread_priority',
      'cmds_max',
      'queue_depth',
      'nr_sessions',
      'reopen_max',
      'conn_reopen_log_freq',
    ),
    ...below('node.session', 'auth.password_length', 'auth.password_in_length', 'timeo.replacement_timeout'),
    ...below('node.session.err_timeo', 'abort_timeout', 'lu_reset_timeout', 'tgt_reset_timeout', 'host_reset_timeout'),
    ...below(
      'node.session.iscsi',
      'FirstBurstLength',
      'MaxBurstLength',
      'DefaultTime2Retain',
      'DefaultTime2Wait',
      'MaxConnections',
      'MaxOutstandingR2T',
      'ERL',
    ),
    ...below(
      'node.conn[0].timeo',
      'logout_timeout',
      'login_timeout',
      'auth_timeout',
      'noop_out_interval',
      'noop_out_timeout',
    ),
    ...below(
      'node.conn[0]',
      'tcp.window_size',
      'tcp.type_of_service',
      'iscsi.MaxXmitDataSegmentLength',
      'iscsi.MaxRecvDataSegmentLength',
    ),
  ),
};

const DISCOVERY: Readonly<Record<string, KeyType>> = {
  'discovery.startup': choice('manual', 'automatic'),
  'discovery.type': choice('sendtargets', 'isns', 'offload_send_targets', 'slp', 'static', 'fw'),
  'discovery.sendtargets.address': HOST,
  'discovery.sendtargets.auth.authmethod': AUTH_METHOD,
  ...each(AUTH, ...below('discovery.sendtargets.auth', 'username', 'password', 'username_in', 'password_in')),
  ...each(NO_YES, 'discovery.sendtargets.use_discoveryd', 'discovery.isns.use_discoveryd'),
  ...each(
    NUMBER,
    'discovery.isns.discoveryd_poll_inval',
    ...below(
      'discovery.sendtargets',
      'port',
      'auth.password_length',
      'auth.password_in_length',
      'discoveryd_poll_inval',
      'reopen_max',
    ),
    ...below(
      'discovery.sendtargets',
      'timeo.login_timeout',
      'timeo.auth_timeout',
      'timeo.active_timeout',
      'iscsi.MaxRecvDataSegmentLength',
    ),
  ),
};

const IFACE: Readonly<Record<string, KeyType>> = {
  'iface.iscsi_ifacename': { kind: 'text', bytes: 65 },
  'iface.hwaddress': { kind: 'text', bytes: 18 },
  ...each({ kind: 'text', bytes: 16 }, 'iface.transport_name', 'iface.net_ifacename'),
  'iface.initiatorname': { kind: 'text', bytes: 256 },
  'iface.iface_num': NUMBER,
  ...each(
    HOST,
    ...below(
      'iface',
      'ipaddress',
      'gateway',
      'subnet_mask',
      'ipv6_autocfg',
      'linklocal_autocfg',
      'router_autocfg',
      'ipv6_linklocal',
      'ipv6_router',
    ),
  ),
  ...each(
    UINT8,
    ...below(
      'iface',
      'prefix_len',
      'vlan_priority',
      'tos',
      'ttl',
      'tcp_wsf',
      'tcp_timer_scale',
      'erl',
      'dup_addr_detect_cnt',
      'hop_limit',
      'traffic_class',
    ),
  ),
  ...each(UINT16, ...below('iface', 'vlan_id', 'mtu', 'port', 'def_task_mgmt_timeout', 'max_outstanding_r2t')),
  ...each(
    UINT32,
    ...below(
      'iface',
      'max_receive_data_len',
      'first_burst_len',
      'max_burst_len',
      'flow_label',
      'nd_reachable_tmo',
      'nd_rexmit_time',
      'nd_stale_tmo',
      'router_adv_link_mtu',
    ),
  ),
  ...each(
    WORD,
    ...below(
      'iface',
      'state',
      'vlan_state',
      'bootproto',
      'fragmentation',
      'gratuitous_arp',
      'incoming_forwarding',
      'tos_state',
      'delayed_ack',
      'redirect',
      'mld',
    ),
  ),
  ...each(
    WORD,
    ...below('iface', 'dhcp_alt_client_id_state', 'dhcp_alt_client_id', 'dhcp_dns', 'dhcp_learn_iqn', 'dhcp_slp_da'),
  ),
  ...each(
    WORD,
    ...below('iface', 'dhcp_req_vendor_id_state', 'dhcp_vendor_id_state', 'dhcp_vendor_id', 'gratuitous_neighbor_adv'),
  ),
  ...each(
    WORD,
    ...below(
      'iface',
      'tcp_nagle',
      'tcp_wsf_state',
      'tcp_timestamp',
      'header_digest',
      'data_digest',
      'immediate_data',
      'initial_r2t',
    ),
  ),
  ...each(
    WORD,
    ...below(
      'iface',
      'data_seq_inorder',
      'data_pdu_inorder',
      'chap_auth',
      'bidi_chap',
      'strict_login_compliance',
      'discovery_auth',
      'discovery_logout',
    ),
  ),
};

const KEYS: ReadonlyMap<string, KeyType> = new Map(Object.entries({ ...NODE, ...DISCOVERY, ...IFACE }));

/**
 * What open-iscsi does with the key, in whichever file it may stand; `undefined` for a key that none of its releases
 * from 2.1.8 to 2.1.11 has. (usr/idbm.c:
 * idbm_recinfo_node, idbm_recinfo_discovery, idbm_recinfo_iface. No key has another name beside its own.)
 */
export function keyType(key: string): KeyType | undefined {
  return KEYS.get(key);
}

/** Every key that open-iscsi has. */
export function knownKeys(): readonly string[] {
  return [...KEYS.keys()];
}

function choice(...words: readonly string[]): KeyType {
  return { kind: 'choice', words };
}

function each(type: KeyType, ...keys: readonly string[]): Readonly<Record<string, KeyType>> {
  return Object.fromEntries(keys.map((key) => [key, type]));
}

function below(parent: string, ...names: readonly string[]): readonly string[] {
  return names.map((name) => `${parent}.${name}`);
}

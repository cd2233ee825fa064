import type { CallOptions } from '../base/call-options.js';
import type { Secret } from '../base/secret.js';

/** What attach() may be told beside the connection_info and the disk_info. */
export interface AttachOptions extends CallOptions {
  /** How an encrypted volume is opened: for one whose connection_info says `data.encrypted`, and for no other. */
  readonly encryption?: {
    /**
     * `luks` when absent. QEMU itself opens LUKS version 1 and no other (QEMU, crypto/block-luks.c,
     * qcrypto_block_luks_check_header); libvirt's `luks2` is for Ceph alone (libvirt,
     * docs/formatstorageencryption.rst).
     */
    readonly format?: 'luks';
    /** From the key manager: text, or its bytes in UTF-8. */
    readonly passphrase: Secret | Uint8Array;
  };
}

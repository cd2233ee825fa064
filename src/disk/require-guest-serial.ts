import { quoted } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';
import type { VolumeFacts } from '../connection/iscsi-connection.js';
import type { DiskTarget } from './disk-config.js';

/**
 * libvirt, domaincommon.rng, diskSerial; its QEMU driver refuses a disk with any other (src/qemu/qemu_validate.c,
 * "contains unsafe characters").
 */
const SERIAL = /^[A-Za-z0-9_.+ -]+$/;
/**
 * From 9.1 on QEMU starts no guest with a scsi disk of a longer one, and before that it cut it (QEMU,
 * hw/scsi/scsi-disk.c, MAX_SERIAL_LEN). On the other buses it cuts still: 20 bytes of a virtio disk
 * (VIRTIO_BLK_ID_BYTES), 20 of a sata or ide disk (hw/ide, drive_serial_str). A UUID has 36.
 */
const LONGEST_OF_SCSI = 36;

/**
 * Refuses a serial that the guest's disk cannot have, before anything is touched: a guest that is shut off takes it
 * into its configuration, and does not start.
 * @throws {VolumeError} `CONNECTION_INFO_INVALID`
 */
export function requireGuestSerial(
  { serial }: Pick<VolumeFacts, 'serial'>,
  { bus, type }: Pick<DiskTarget, 'bus' | 'type'>,
): void {
  if (serial === undefined || type === 'lun') return;
  if (!SERIAL.test(serial))
    throw invalid(
      `is ${quoted(serial)}, which libvirt takes for no serial: expected letters, digits, blanks and any of _ . + -`,
    );
  if (bus === 'scsi' && serial.length > LONGEST_OF_SCSI)
    throw invalid(`has ${serial.length} characters: expected at most ${LONGEST_OF_SCSI} on the bus scsi`);
}

function invalid(problem: string): VolumeError {
  return new VolumeError('CONNECTION_INFO_INVALID', `Cannot use the connection_info: serial ${problem}`, {
    details: { key: 'serial' },
  });
}

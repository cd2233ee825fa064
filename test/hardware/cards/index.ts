import { BROADCOM_5709, BROADCOM_57810 } from './broadcom.js';
import { CHELSIO_T3 } from './chelsio-t3.js';
import { CHELSIO_T5 } from './chelsio-t5.js';
import { EMULEX_LANCER, EMULEX_SKYHAWK } from './emulex.js';
import { QLOGIC_FASTLINQ } from './qlogic-fastlinq.js';
import { QLOGIC_4032 } from './qlogic-hba.js';

/** Every family of offload cards. */
export const CARDS = {
  CHELSIO_T3,
  CHELSIO_T5,
  BROADCOM_5709,
  BROADCOM_57810,
  QLOGIC_4032,
  EMULEX_SKYHAWK,
  EMULEX_LANCER,
  QLOGIC_FASTLINQ,
} as const;

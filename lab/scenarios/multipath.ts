// needs: multipath
// limit: 300 s
import assert from 'node:assert/strict';
import { after, before, describe, test } from '../guest/scenario.js';

import { hash } from 'node:crypto';
import { verifyMillion } from './trace-verify.js';
console.log(await verifyMillion((b) => hash('sha256', b, 'hex')));

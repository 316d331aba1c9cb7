import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { verifyBundle } from '../src/audit/verify.js';
const bytes = readFileSync('/tmp/h/evm/million.json');
const jwks = JSON.parse(readFileSync('/tmp/h/evm/jwks.json', 'utf8'));
const t = performance.now();
const a = await verifyBundle(bytes, { jwks }, { sha256: (m) => hash('sha256', m, 'hex') });
console.log(a.result, performance.now() - t);

/**
 * Carries one thing that is asked of the deciding power beside any run, and its answer. Its workflow id is what an assertion
 * for the act names as its audience. It decides nothing, and is no governed run: it has no steps.
 */
import type { Administered, Administration } from '../domain/protocol/administer.js';
import { administering } from './hands.js';

/** Workflow type `administer`; id `rok-admin/<uuid>`. */
export async function administer(request: Administration): Promise<Administered> {
  return administering['decide.administer'](request);
}

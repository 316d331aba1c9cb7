/**
 * Finds which facts the policies read, from their syntax, when they are loaded. Passing facts to Cedar is most of a
 * request's cost, and facts that no policy reads are left out. A fact counts as read if the syntax does not settle it.
 */
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

export type Uses = {
  /** Attributes of the context, each with those of its own attributes that are read; `all` where it is read as a whole. */
  readonly context: ReadonlyMap<string, ReadonlySet<string> | 'all'> | 'all';
  /** Whether any policy looks at entities beyond comparing principal, action and resource in its scope. */
  readonly entities: boolean;
};

export function usesOf(policies: readonly PolicyJson[]): Uses {
  const paths: (readonly string[])[] = [];
  for (const policy of policies) for (const { body } of policy.conditions) collect(body, paths);
  return { context: treeOf(paths), entities: policies.some(readsEntities) };
}

/** `context` alone is the empty path. */
function treeOf(paths: readonly (readonly string[])[]): Uses['context'] {
  const tree = new Map<string, Set<string> | 'all'>();
  for (const [first, second] of paths) {
    if (first === undefined) return 'all';
    const known = tree.get(first);
    if (second === undefined) tree.set(first, 'all');
    else if (known === undefined) tree.set(first, new Set([second]));
    else if (known !== 'all') known.add(second);
  }
  return tree;
}

function collect(node: unknown, paths: (readonly string[])[]): void {
  if (typeof node !== 'object' || node === null) return;
  const path = pathOf(node);
  if (path !== null) paths.push(path);
  else for (const child of Object.values(node)) collect(child, paths);
}

/** `context.a.b` and `context.a has b` → ['a', 'b']; null for what does not begin at the context. */
function pathOf(node: object): readonly string[] | null {
  if ('Var' in node) return node.Var === 'context' ? [] : null;
  const access = '.' in node ? node['.'] : 'has' in node ? node.has : null;
  if (typeof access !== 'object' || access === null || !('left' in access) || !('attr' in access)) return null;
  const base = typeof access.left === 'object' && access.left !== null ? pathOf(access.left) : null;
  if (base === null) return null;
  const { attr } = access;
  return [...base, ...(Array.isArray(attr) ? attr.map(String) : [String(attr)])];
}

function readsEntities(policy: PolicyJson): boolean {
  const { principal, resource } = policy;
  const climbs = [principal, resource].some(
    (scope) => scope.op === 'in' || (scope.op === 'is' && scope.in !== undefined),
  );
  return climbs || /"Var":"(principal|action|resource)"|"__entity"/.test(JSON.stringify(policy.conditions));
}

/**
 * Trees: nested arrays and plain objects with leaves of one kind. Batches, parameters, optimiser state and the
 * arguments of `grad` are all trees; a leaf's place is its path, `blocks.0.attention.query.weight`.
 */

export type Tree<Leaf> = Leaf | readonly Tree<Leaf>[] | { readonly [key: string]: Tree<Leaf> }

export interface TreeLeaf<Leaf> {
  readonly path: string
  readonly leaf: Leaf
}

/** All leaves in order (arrays by index, objects by insertion), each with its dotted path. */
export function treeLeaves<Leaf>(
  tree: Tree<Leaf>,
  isLeaf: (value: unknown) => value is Leaf,
  path = '',
): TreeLeaf<Leaf>[] {
  if (isLeaf(tree)) return [{ path, leaf: tree }]
  const entries = Array.isArray(tree)
    ? tree.map((child: Tree<Leaf>, index): [string, Tree<Leaf>] => [String(index), child])
    : Object.entries(tree as { readonly [key: string]: Tree<Leaf> })
  return entries.flatMap(([key, child]) => treeLeaves(child, isLeaf, path === '' ? key : `${path}.${key}`))
}

/** A tree of the same form with each leaf replaced. */
export function treeMap<Leaf, Result>(
  tree: Tree<Leaf>,
  isLeaf: (value: unknown) => value is Leaf,
  transform: (leaf: Leaf, path: string) => Result,
  path = '',
): Tree<Result> {
  if (isLeaf(tree)) return transform(tree, path)
  const child = (key: string): string => (path === '' ? key : `${path}.${key}`)
  if (Array.isArray(tree)) {
    return tree.map((element: Tree<Leaf>, index) => treeMap(element, isLeaf, transform, child(String(index))))
  }
  const entries = Object.entries(tree as { readonly [key: string]: Tree<Leaf> })
  return Object.fromEntries(entries.map(([key, value]) => [key, treeMap(value, isLeaf, transform, child(key))]))
}

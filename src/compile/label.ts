/** What an instruction is called in messages and profiles: `train.ts:14 dotGeneral`. */
import type { Node } from '../graph/index.js'

export function labelOf(node: Node): string {
  const name = node.operation === 'composite' ? describeComposite(node) : node.operation
  const position = node.location?.resolve()
  if (position === undefined) return name
  return `${position.file.replace(/^.*[\\/]/, '')}:${position.line} ${name}`
}

/** A group is named by what it does, as far as that fits: `elementwise(multiply, add, tanh)`. */
function describeComposite(node: Node<'composite'>): string {
  const { name } = node.attributes
  if (name !== 'elementwise' && name !== 'dotEpilogue' && name !== 'widenedReduce') return name
  const inside = node
    .decomposition!.nodes.filter(
      ({ operation }) => operation !== 'parameter' && operation !== 'constant' && operation !== 'broadcastInDim',
    )
    .map((inner) => (inner.operation === 'composite' ? inner.attributes.name : inner.operation))
  const shown = inside.slice(0, numOperationsShown).join(', ')
  return `${name}(${shown}${inside.length > numOperationsShown ? ', …' : ''})`
}

const numOperationsShown = 4

/**
 * Talweg's own lint rules; the first holds each room of `src/` to what it may import (ARCHITECTURE.md).
 *
 * It is a plug-in of oxlint rather than a configuration of a dependency walker, because those read TypeScript through
 * the compiler's JavaScript interface, which TypeScript 7 no longer has. It sees static, dynamic, re-exported and
 * type-only imports alike. `test/lint/rooms.test.ts` shows that a forbidden one fails.
 */
import path from 'node:path'

const above = ['core', 'graph', 'ops', 'autodiff', 'engine', 'compile', 'nn', 'optim', 'data', 'exchange']

/** Bottom up. `browser` rooms run in a browser too: no `node:` module there, and only packages that run there. */
export const rooms = {
  core: { browser: true, mayImport: [] },
  graph: { browser: true, mayImport: ['core'] },
  ops: { browser: true, mayImport: ['core', 'graph'] },
  autodiff: { browser: true, mayImport: ['core', 'graph', 'ops'] },
  engine: { browser: true, mayImport: ['core'] },
  compile: { browser: true, mayImport: ['core', 'graph', 'engine'] },
  nn: { browser: true, mayImport: ['core', 'graph', 'ops'] },
  optim: { browser: true, mayImport: ['core', 'graph', 'ops'] },
  data: { browser: false, mayImport: ['core'] },
  exchange: { browser: false, mayImport: ['core', 'graph', 'ops', 'compile', 'nn'] },
  distribute: { browser: false, mayImport: above },
  train: { browser: false, mayImport: [...above, 'distribute'] },
  plan: { browser: false, mayImport: [...above, 'distribute', 'train'] },
  tune: { browser: false, mayImport: [...above, 'distribute', 'train', 'plan'] },
  federate: { browser: false, mayImport: [...above, 'distribute', 'train', 'plan', 'tune'] },
  cli: { browser: false, mayImport: [...above, 'distribute', 'train', 'plan', 'tune', 'federate'] },
}

/** Parts of a browser room that are for Node alone, and parts of a Node room that a browser runs too. */
const nodeOnlyPart = /^engine\/native\//
const browserPart = /^(train\/step|distribute\/sharding)(\.ts$|\/)/
const browserPackages = new Set(['@jax-js/jax', 'leven', 'zod'])

/**
 * What is wrong with an import, or undefined.
 *
 * @param {string} from path of the importing file, relative to `src/`, with `/`
 * @param {string} specifier what it imports
 * @returns {string | undefined}
 */
export function importProblem(from, specifier) {
  const [roomName] = from.split('/')
  if (from.endsWith('.test.ts')) return undefined
  if (!from.includes('/')) return specifier.startsWith('./cli/') ? 'nobody imports cli' : undefined
  const room = rooms[roomName]
  if (room === undefined) return `src/${roomName} is not a room: add it to the table in scripts/lint/rules.mjs`
  const runsInBrowser = (room.browser && !nodeOnlyPart.test(from)) || browserPart.test(from)
  if (!specifier.startsWith('.')) return runsInBrowser ? packageProblem(roomName, specifier) : undefined
  return relativeProblem(from, roomName, path.posix.join(path.posix.dirname(from), specifier), runsInBrowser)
}

function packageProblem(roomName, specifier) {
  if (browserPackages.has(specifier)) return undefined
  return `${roomName} runs in a browser too, where '${specifier}' is not to be had`
}

function relativeProblem(from, roomName, target, runsInBrowser) {
  if (target.startsWith('../')) return `'${target}' is outside src/`
  const [targetRoom] = target.split('/')
  // The command gives the library, as the user sees it, to the training files that it loads.
  if (roomName === 'cli' && target === 'index.js') return undefined
  if (!target.includes('/')) return `${roomName} must not import src/${target}: import from the room that has it`
  if (targetRoom !== roomName && !rooms[roomName].mayImport.includes(targetRoom)) {
    return `${roomName} may import ${rooms[roomName].mayImport.join(', ') || 'nothing'}; not ${targetRoom}`
  }
  if (runsInBrowser && nodeOnlyPart.test(target)) return `${from} runs in a browser too; ${target} is for Node alone`
  return undefined
}

/** The path of the linted file in `src/`, or undefined where it lies elsewhere. */
function pathInSource(context) {
  const relative = path.relative(path.join(context.cwd, 'src'), context.filename).split(path.sep).join('/')
  return relative.startsWith('../') ? undefined : relative
}

const rule = {
  meta: { type: 'problem' },
  create(context) {
    const from = pathInSource(context)
    if (from === undefined) return {}
    const check = (node, literal) => {
      if (literal == null) return
      if (typeof literal.value !== 'string') {
        context.report({
          node,
          message: 'what is imported must be a plain string, so that the rooms can be held apart',
        })
        return
      }
      const problem = importProblem(from, literal.value)
      if (problem !== undefined) context.report({ node, message: problem })
    }
    return {
      ImportDeclaration: (node) => check(node, node.source),
      ExportNamedDeclaration: (node) => check(node, node.source),
      ExportAllDeclaration: (node) => check(node, node.source),
      ImportExpression: (node) => check(node, node.source),
      TSImportType: (node) => check(node, node.source),
    }
  },
}

/** Everything that a user can cause ends in a coded error (`core/errors.ts`), never in a bare `Error`. */
const codedErrors = {
  meta: { type: 'problem' },
  create(context) {
    if (pathInSource(context)?.endsWith('.test.ts') ?? true) return {}
    return {
      ThrowStatement(node) {
        const thrown = node.argument.type === 'NewExpression' ? node.argument.callee.name : undefined
        if (!/^(Error|TypeError|RangeError)$/.test(thrown ?? '')) return
        context.report({ node, message: `throw a TalwegError with a code, not a bare ${thrown}` })
      },
    }
  },
}

export default { meta: { name: 'talweg' }, rules: { rooms: rule, 'coded-errors': codedErrors } }

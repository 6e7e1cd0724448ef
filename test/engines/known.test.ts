/** Every engine gives what was worked out by hand for every operation. */
import { test } from 'node:test'
import type { OperationAttributes } from '../../src/core/operations.js'
import { knownCases, type KnownCase } from './known/index.js'
import { accuracyOf, assertClose } from './support/compare.js'
import { forEachEngine } from './support/engines.js'
import { evaluate, graphOf, lacking } from './support/evaluate.js'

forEachEngine('worked out by hand', (engine) => {
  for (const [name, cases] of Object.entries(knownCases)) {
    const operation = name as keyof typeof knownCases
    for (const { what, operands, attributes, result } of cases as readonly KnownCase[]) {
      test(`${operation}: ${what}`, { skip: lacking(engine, [...operands, result]) }, async () => {
        const graph = graphOf(operation, operands, attributes as OperationAttributes[typeof operation])
        const [actual] = await evaluate(engine, graph, operands)
        assertClose(actual, result, accuracyOf(operation), operation)
      })
    }
  }
})

/**
 * Every engine agrees with the reference engine on every operation and element type, whether its operands are arrays of
 * their own, views, or in a buffer that the result overwrites. (The reference engine too, for all but the first.)
 */
import { test } from 'node:test'
import type { DType } from '../../src/core/dtype.js'
import { isElementwise, type OperationAttributes } from '../../src/core/operations.js'
import type { TensorData } from '../../src/core/shape.js'
import type { Engine } from '../../src/engine/engine.js'
import { GraphBuilder, type Graph } from '../../src/graph/index.js'
import { all, randomCases, type RandomCase } from './random/index.js'
import { accuracyOf, assertClose } from './support/compare.js'
import { forEachEngine, reference } from './support/engines.js'
import { evaluate } from './support/evaluate.js'
import { forms, refill, type Form, type FormName } from './support/forms.js'

type Operation = keyof typeof randomCases

function formsFor(engine: Engine, operation: Operation): FormName[] {
  const takesStrided = engine.stridedInputs?.has(operation) ?? false
  return (Object.keys(forms) as FormName[]).filter((name) => {
    if (name === 'plain') return engine !== reference
    if (name === 'in place') return isElementwise(operation) || operation === 'scatter'
    return takesStrided || !forms[name].isStrided
  })
}

/** The operation on what `form` makes of its operands, and the operands. */
function inForm(
  operation: Operation,
  { operands, attributes }: RandomCase,
  form: Form,
): { graph: Graph; given: TensorData[] } {
  const builder = new GraphBuilder(operation)
  const given: TensorData[] = []
  const inputs = operands.map((operand, index) => {
    const wrapped = form.wrap(operand)
    given.push(wrapped === undefined ? operand : refill(operand, wrapped))
    const { dtype, shape } = given[index]
    const parameter = builder.parameter(`x${index}`, { dtype, shape })
    return wrapped === undefined ? parameter : form.recover(builder, parameter, operand)
  })
  const [value] = builder.add(operation, inputs, attributes as OperationAttributes[typeof operation])
  return { graph: builder.build([{ name: 'y0', value }]), given }
}

async function check(engine: Engine, operation: Operation, name: FormName, randomCase: RandomCase): Promise<void> {
  const { graph, given } = inForm(operation, randomCase, forms[name])
  const types = [...given, ...graph.results.map(({ value }) => value.type)]
  if (types.some(({ dtype }) => !engine.dtypes.has(dtype))) return
  const [expected] = await evaluate(reference, graph, given)
  const [actual] = await evaluate(engine, graph, given, forms[name].options)
  assertClose(actual, expected, accuracyOf(operation), `${operation} ${randomCase.what}, ${name}`)
}

function casesOf(operation: Operation, dtype: DType): readonly RandomCase[] {
  return randomCases[operation](dtype)
}

forEachEngine('random operands', (engine) => {
  for (const operation of Object.keys(randomCases) as Operation[]) {
    for (const dtype of all.filter((dtype) => engine.dtypes.has(dtype))) {
      const cases = casesOf(operation, dtype)
      if (cases.length === 0) continue
      test(`${operation} of ${dtype}`, async () => {
        for (const name of formsFor(engine, operation)) {
          for (const randomCase of cases) await check(engine, operation, name, randomCase)
        }
      })
    }
  }
})

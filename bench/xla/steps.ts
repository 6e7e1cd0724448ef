/**
 * Whole training steps: the parity tests' models (a GPT, an MLP, a ConvNet), each with AdamW and with SGD, from the
 * fixtures' weights and first batch, forward, backward and update in one graph.
 */
import type { CompileTarget } from '../../src/compile/index.js'
import { dtypes, type DType } from '../../src/core/dtype.js'
import type { CompositeName } from '../../src/core/operations.js'
import type { TensorData } from '../../src/core/shape.js'
import { parameterName } from '../../src/graph/index.js'
import { adamw, sgd } from '../../src/optim/index.js'
import { readFixture, type ModelName, type OptimizerName } from '../../test/parity/fixture.js'
import { parityModels } from '../../test/parity/models.js'
import { initialState, traceStep } from '../../test/parity/step.js'
import { fused, type Case } from './cases/case.js'
import { compositeCases } from './cases/composites.js'

const modelNames: readonly ModelName[] = ['gpt', 'mlp', 'convnet']
const optimizerNames: readonly OptimizerName[] = ['adamw', 'sgd']

async function stepCase(model: ModelName, optimizer: OptimizerName): Promise<Case> {
  const fixture = await readFixture(model)
  const batch = fixture.batch(0)
  const made = optimizer === 'adamw' ? adamw(fixture.adamw) : sgd(fixture.sgd)
  const { graph } = traceStep(parityModels[model](), batch, made)
  const given = new Map<string, TensorData>([...fixture.group('parameters'), ...Object.entries(batch)])
  const inputs = graph.parameters.map((parameter) => {
    const name = parameterName(parameter)
    return given.get(name) ?? initialState(name, parameter.type)
  })
  return { name: `step of ${model} by ${optimizer}`, graph, inputs: [inputs], measure: 'largest', isIgnored: isNoise }
}

/** An engine that has kernels for all composites, as far as the compiler is concerned, so that every fusion is made. */
const allFusions: CompileTarget = {
  name: 'native',
  composites: new Set(Object.keys(compositeCases) as CompositeName[]),
  dtypes: new Set(Object.keys(dtypes) as DType[]),
}

export async function stepCases(): Promise<Case[]> {
  const cases = await Promise.all(
    modelNames.flatMap((model) => optimizerNames.map((optimizer) => stepCase(model, optimizer))),
  )
  return [...cases, ...cases.map((example) => fused(example, allFusions))]
}

/**
 * The gradient of attention's key bias is zero but for rounding (test/parity/fixtures/README.md), so the results that
 * follow from it cannot be compared.
 */
function isNoise(result: string): boolean {
  return result.endsWith('attention.key.bias')
}

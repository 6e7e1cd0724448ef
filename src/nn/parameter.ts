/**
 * Parameters: tensors that a module owns and that outlive a trace.
 *
 * A parameter is declared as a field and used like any tensor. What it stands for is found in the trace in progress:
 * whoever traces a model binds each of its parameters to a value of the graph (`withParameters`).
 */
import type { DType } from '../core/dtype.js'
import { TalwegError } from '../core/errors.js'
import { tensorType, type Shape, type TensorData, type TensorType } from '../core/shape.js'
import { currentPlace } from '../graph/location.js'
import type { Value } from '../graph/graph.js'
import { Tensor, type AnyTensor } from '../graph/tensor.js'
import { zeros, type Initializer } from './initializers.js'

export interface ParameterOptions<D extends DType> {
  readonly initializer?: Initializer
  readonly dtype?: D
  /** False for what the optimiser leaves alone: running statistics, frozen weights. */
  readonly trainable?: boolean
}

export class Parameter<S extends Shape = Shape, D extends DType = 'f32'> extends Tensor<S, D> {
  readonly #type: TensorType<D>
  readonly initializer: Initializer
  trainable: boolean
  /** Its first value where it was loaded, rather than made by the initialiser. */
  loaded: TensorData | undefined

  constructor(shape: S, { initializer = zeros(), dtype = 'f32' as D, trainable = true }: ParameterOptions<D> = {}) {
    super(undefined)
    this.#type = tensorType(dtype, shape)
    this.initializer = initializer
    this.trainable = trainable
  }

  /** Known without a trace, unlike the value. */
  override get type(): TensorType {
    return this.#type
  }

  override get value(): Value {
    const bound = scopes.at(-1)?.values.get(this as unknown as AnyParameter)
    if (bound !== undefined) return bound.value
    throw new TalwegError({
      code: 'TRACE_MISUSE',
      operation: 'Parameter',
      problem: `a parameter of shape [${this.#type.shape.join(',')}] is used where its model is not being traced`,
      hint: 'use parameters inside forward() of the model that owns them; a module must be a field of it to belong to it',
      place: currentPlace(),
    })
  }
}

export type AnyParameter = Parameter<Shape, DType>

/** What holds while a model is traced. */
export interface ModelScope {
  /** Whether dropout drops and batch norm takes the batch's statistics. */
  readonly training: boolean
  readonly values: ReadonlyMap<AnyParameter, AnyTensor>
  /** New values that modules have given to parameters that are not trained, such as running means. */
  readonly updates: Map<AnyParameter, AnyTensor>
}

const scopes: ModelScope[] = []

/** Runs `body` with parameters bound to tensors of the trace in progress. */
export function withParameters<T>(scope: ModelScope, body: () => T): T {
  scopes.push(scope)
  try {
    return body()
  } finally {
    scopes.pop()
  }
}

/** Whether the model is being traced for training, rather than for evaluation or use. */
export function isTraining(): boolean {
  return scopes.at(-1)?.training ?? false
}

/** The value that a parameter which is not trained has after this step. */
export function updateParameter(parameter: AnyParameter, value: AnyTensor): void {
  scopes.at(-1)?.updates.set(parameter, value)
}

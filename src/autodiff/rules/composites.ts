/**
 * Derivatives of composites. Those with a rule of their own give another composite, so that an engine's kernel can
 * stand for it; the rest, and any use that the rule does not foresee, are differentiated through their decomposition.
 */
import type { CompositeAttributes, CompositeCall, CompositeName } from '../../core/operations.js'
import type { Shape } from '../../core/shape.js'
import { GraphBuilder } from '../../graph/builder.js'
import { inline, insideLocation } from '../../graph/rewrite.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { attentionGradient } from '../../ops/composites/attention.js'
import { geluGradient } from '../../ops/composites/gelu.js'
import { batchNormGradient, layerNormGradient, rmsNormGradient } from '../../ops/composites/normalisation.js'
import { softmaxCrossEntropyGradient, softmaxGradient } from '../../ops/composites/softmax.js'
import { exp, multiply, negate, square } from '../../ops/elementwise.js'
import { alias, optimizationBarrier } from '../../ops/structure.js'
import { zeroDerivative, type Cotangent, type Rule, type RuleContext } from './rule.js'

interface CompositeContext<N extends CompositeName> extends Omit<RuleContext<'composite'>, 'attributes'> {
  readonly attributes: CompositeAttributes[N]
  /** Cotangent of the first result, the one that users see. Only a rule wrapped by `onlyFirstResult` may have none. */
  readonly dy: AnyTensor
}

type CompositeRule<N extends CompositeName> = (context: CompositeContext<N>) => readonly Cotangent[]

const throughDecomposition = (context: CompositeContext<CompositeName>): readonly Cotangent[] =>
  differentiate(context, context.inputs)

const compositeRules: { readonly [N in CompositeName]: CompositeRule<N> } = {
  stopGradient: zeroDerivative,
  // The inside is computed again, from operands that the compiler can't merge with those of the forward pass and that
  // are there only once the cotangents are.
  remat: (context) => {
    const { inputs, cotangents } = context
    const given = cotangents.filter((cotangent) => cotangent !== undefined)
    const held = optimizationBarrier([...inputs, ...given])
    let next = inputs.length
    const heldCotangents = cotangents.map((cotangent) => (cotangent === undefined ? undefined : held[next++]))
    return differentiate({ ...context, cotangents: heldCotangents }, held.slice(0, inputs.length))
  },
  elementwise: throughDecomposition,
  dotEpilogue: throughDecomposition,
  widenedReduce: throughDecomposition,
  allReduceStart: throughDecomposition,
  allReduceDone: throughDecomposition,
  // y = erf(x): dy 2/√π exp(-x²)
  erf: ({ dy, inputs: [x] }) => [multiply(dy, multiply(exp(negate(square(x))), 2 / Math.sqrt(Math.PI)))],
  gelu: ({ dy, inputs: [x], attributes }) => [geluGradient(dy, x, attributes.approximate)],
  geluGradient: throughDecomposition,
  softmax: ({ dy, outputs: [y] }) => [softmaxGradient(dy, y)],
  softmaxGradient: throughDecomposition,
  layerNorm: onlyFirstResult(({ dy, inputs: [x, weight], outputs: [, mean, inverse] }) =>
    layerNormGradient(dy, x, weight, mean, inverse),
  ),
  layerNormGradient: throughDecomposition,
  rmsNorm: onlyFirstResult(({ dy, inputs: [x, weight], outputs: [, inverse] }) =>
    rmsNormGradient(dy, x, weight, inverse),
  ),
  rmsNormGradient: throughDecomposition,
  batchNorm: onlyFirstResult<'batchNorm'>(({ dy, inputs: [x, weight], outputs: [, mean, variance], attributes }) =>
    batchNormGradient(dy, x, weight, mean, variance, attributes.epsilon),
  ),
  batchNormGradient: throughDecomposition,
  batchNormRelu: throughDecomposition,
  batchNormReluGradient: throughDecomposition,
  softmaxCrossEntropy: onlyFirstResult<'softmaxCrossEntropy'>(
    ({ dy, inputs: [logits, targets], outputs: [, total], attributes }) => [
      softmaxCrossEntropyGradient(dy, logits, targets, total, attributes),
    ],
  ),
  softmaxCrossEntropyGradient: throughDecomposition,
  attention: onlyFirstResult<'attention'>(({ dy, inputs, outputs: [out, logSumExp], attributes }) => {
    const [query, key, value] = inputs
    const mask = attributes.masked ? (inputs[3] as Tensor<Shape, 'bool'>) : undefined
    return attentionGradient({ dout: dy, query, key, value, mask, out, logSumExp }, attributes)
  }),
  attentionGradient: throughDecomposition,
  adamUpdate: throughDecomposition,
  maxPoolGradient: throughDecomposition,
  linearGradient: throughDecomposition,
  linearDescent: throughDecomposition,
}

/** For rules that know the first result alone: where a cotangent of another one is given, the decomposition is used. */
function onlyFirstResult<N extends CompositeName>(rule: CompositeRule<N>): CompositeRule<N> {
  return (context) => {
    const [first, ...others] = context.cotangents
    const isForeseen = first !== undefined && others.every((cotangent) => cotangent === undefined)
    return isForeseen ? rule(context) : differentiate(context, context.inputs)
  }
}

/** Puts the composite's decomposition in its place, computed from `inputs`, and goes backward through it. */
function differentiate(
  context: Omit<RuleContext<'composite'>, 'attributes'>,
  inputs: readonly AnyTensor[],
): readonly Cotangent[] {
  const { node, cotangents, wants, pullBack } = context
  // A fresh view of each operand, so that the cotangent by an operand is that of its use here alone.
  const views = inputs.map((input) => alias(input).value)
  const results = inline(node.decomposition!, views, GraphBuilder.of(views[0]), undefined, insideLocation(node))
  const seeds = results.flatMap((result, index) => {
    const cotangent = cotangents[index]
    return cotangent === undefined ? [] : [{ value: result, cotangent }]
  })
  const wanted = views.map((view, index) => ({ view, isWanted: wants(index) }))
  const gradients = pullBack(
    seeds,
    wanted.flatMap(({ view, isWanted }) => (isWanted ? [view] : [])),
  )
  let next = 0
  return wanted.map(({ isWanted }) => (isWanted ? gradients[next++] : undefined))
}

export const compositeRule: Rule<'composite'> = (context) => {
  const call: CompositeCall = context.attributes
  const rule = compositeRules[call.name] as CompositeRule<CompositeName>
  return rule({ ...context, attributes: call.attributes, dy: context.cotangents[0]! })
}

/**
 * ResNet, as torchvision's `state_dict` has it, and timm's models of the same names. The file says what the network is: its
 * blocks, stages and widths are read from its tensors, and a `config.json` is not needed.
 */
import { ResNet, type ResNetOptions } from '../../../nn/index.js'
import { unusable, type Family, type PretrainedFacts } from '../family.js'
import { affine, type Pairing, type Row } from '../rows.js'
import type { OutgoingTensor } from '../../safetensors/writer.js'

function normRows(theirs: string, ours: string): Row[] {
  return [
    ...affine(theirs, ours, 'same'),
    { theirs: `${theirs}.running_mean`, ours: `${ours}.runningMean` },
    { theirs: `${theirs}.running_var`, ours: `${ours}.runningVariance` },
  ]
}

function convolutionRows(convolution: string, norm: string, ours: string): Row[] {
  const kernel = { theirs: `${convolution}.weight`, ours: `${ours}.convolution.weight`, layout: 'kernel' } as const
  return [kernel, ...normRows(norm, `${ours}.norm`)]
}

/** Their stages count from 1. */
const theirBlock = 'layer{+1}.{}'
const ourBlock = 'stages.{}.{}'

const rows: readonly Row[] = [
  ...convolutionRows('conv1', 'bn1', 'stem'),
  ...['first', 'second', 'third'].flatMap((name, index) =>
    convolutionRows(`${theirBlock}.conv${index + 1}`, `${theirBlock}.bn${index + 1}`, `${ourBlock}.${name}`),
  ),
  ...convolutionRows(`${theirBlock}.downsample.0`, `${theirBlock}.downsample.1`, `${ourBlock}.shortcut`),
  ...affine('fc', 'output').map((row) => ({ ...row, part: 'classifier' as const })),
]

function make({ entries, file, numClasses }: PretrainedFacts): ResNet {
  const shapeOf = (name: string): readonly number[] => {
    const shape = entries.get(name)?.type.shape
    if (shape !== undefined) return shape
    throw unusable(file, `there is no tensor "${name}": the file is no whole ResNet`)
  }
  const [width, channels, height] = shapeOf('conv1.weight')
  const block = entries.has('layer1.0.conv3.weight') ? 'bottleneck' : 'basic'
  const numBlocks = (stage: number): number =>
    countWhile((index) => entries.has(`layer${stage + 1}.${index}.conv1.weight`))
  const stages = Array.from({ length: countWhile((stage) => numBlocks(stage) > 0) }, (_, stage) => numBlocks(stage))
  const stem = height === 7 ? 'large' : 'small'
  return new ResNet({ block, stages, channels, width, stem, numClasses: numClasses ?? shapeOf('fc.weight')[0] })
}

function countWhile(isThere: (index: number) => boolean): number {
  let count = 0
  while (isThere(count)) count++
  return count
}

/** How many batches a norm's statistics have seen, which only one without a momentum would need to know. */
function extras(pairings: readonly Pairing[]): OutgoingTensor[] {
  const value = { dtype: 'i32', shape: [], data: new Int32Array(1) } as const
  return pairings
    .filter(({ theirs }) => theirs.endsWith('.running_mean'))
    .map(({ theirs }) => ({
      name: theirs.replace(/running_mean$/, 'num_batches_tracked'),
      type: value,
      stored: 'I64',
      take: () => value,
    }))
}

/** timm's name of a network of the published kinds. */
function architectureOf({ block, stages }: ResNetOptions): string | null {
  const found = Object.entries(ResNet.configs).find(
    ([, config]) => config.block === block && config.stages.join() === stages.join(),
  )
  return found?.[0] ?? null
}

export const resnet: Family<ResNet> = {
  name: 'ResNet',
  isIn: ({ config, entries }) =>
    config.model_type === undefined && entries.has('conv1.weight') && entries.has('layer1.0.conv1.weight'),
  has: (model) => model instanceof ResNet,
  make,
  rows,
  isIgnored: (name) => name.endsWith('.num_batches_tracked'),
  extras,
  describe: ({ options, output }) => ({
    architecture: architectureOf(options),
    num_classes: options.numClasses,
    num_features: output.weight.type.shape[0],
  }),
}

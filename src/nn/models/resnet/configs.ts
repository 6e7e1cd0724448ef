/** The paper's five networks for ImageNet's 1000 classes. */
import type { ResNetOptions } from './model.js'

export const resnetConfigs = {
  resnet18: { block: 'basic', stages: [2, 2, 2, 2], numClasses: 1000 },
  resnet34: { block: 'basic', stages: [3, 4, 6, 3], numClasses: 1000 },
  resnet50: { block: 'bottleneck', stages: [3, 4, 6, 3], numClasses: 1000 },
  resnet101: { block: 'bottleneck', stages: [3, 4, 23, 3], numClasses: 1000 },
  resnet152: { block: 'bottleneck', stages: [3, 8, 36, 3], numClasses: 1000 },
} as const satisfies Readonly<Record<string, ResNetOptions>>

export type ResNetConfigName = keyof typeof resnetConfigs

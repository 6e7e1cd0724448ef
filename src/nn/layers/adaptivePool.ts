/** Pooling to a given size, whatever the image's. */
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import type { AnyTensor } from '../../graph/tensor.js'
import { averagePool2d } from '../../ops/convolution.js'
import { constant } from '../../ops/creation.js'
import { transpose } from '../../ops/movement.js'
import { dotGeneral } from '../../ops/products.js'
import { mean } from '../../ops/reductions.js'
import { Module } from '../module.js'

/**
 * The mean of each of `size` windows that cover the image, f32 [N, H, W, C] to [N, height, width, C]. Window i of n over a
 * side of s is [floor(i s / n), ceil((i + 1) s / n)), as in PyTorch: where n does not divide s, windows overlap.
 *
 * @example new nn.AdaptiveAveragePool2d(1) // the mean over the image, before a classifier
 */
export class AdaptiveAveragePool2d extends Module {
  readonly size: readonly [height: number, width: number]

  constructor(size: number | readonly [height: number, width: number]) {
    super()
    this.size = typeof size === 'number' ? [size, size] : size
    checkOptions('AdaptiveAveragePool2d', {
      'size[0]': [this.size[0], ranges.count],
      'size[1]': [this.size[1], ranges.count],
    })
  }

  forward(x: AnyTensor): AnyTensor {
    const [, height, width] = x.shape
    const [rows, columns] = this.size
    if (rows === 1 && columns === 1) return mean(x, [1, 2], { keepDims: true })
    if (height % rows === 0 && width % columns === 0) return averagePool2d(x, [height / rows, width / columns])
    // [N, W, C, rows] and then [N, C, rows, columns]: each product moves its own dimension to the end.
    const byRows = dotGeneral(x, windowShares(height, rows), { leftContracting: [1], rightContracting: [1] })
    const byBoth = dotGeneral(byRows, windowShares(width, columns), { leftContracting: [1], rightContracting: [1] })
    return transpose(byBoth, [0, 2, 3, 1])
  }
}

/** [windows, size]: what share each element has in each window's mean. */
function windowShares(size: number, numWindows: number): AnyTensor {
  const shares = Array.from({ length: numWindows * size }, (_, flat) => {
    const [window, place] = [Math.floor(flat / size), flat % size]
    const start = Math.floor((window * size) / numWindows)
    const end = Math.ceil(((window + 1) * size) / numWindows)
    return place >= start && place < end ? 1 / (end - start) : 0
  })
  return constant(shares, [numWindows, size]) as AnyTensor
}

/** Where a window's elements lie in the operand: shared by convolution and `reduceWindow`. */

export interface WindowDim {
  readonly inputSize: number
  /** Distance between neighbours along this dimension in the operand, in elements. */
  readonly inputStride: number
  readonly outputSize: number
  readonly window: number
  readonly stride: number
  readonly paddingLow: number
  readonly baseDilation: number
  readonly windowDilation: number
}

export interface WindowPlaces {
  readonly numWindows: number
  readonly windowSize: number
  /** `places[w * windowSize + k]`: where element `k` of window `w` lies; -1 in the padding and between dilated elements. */
  readonly places: Int32Array
}

/** Output `o` and window element `k` meet input `(o * stride + k * windowDilation - paddingLow) / baseDilation`. */
function inputIndex(dim: WindowDim, o: number, k: number): number {
  const dilated = o * dim.stride + k * dim.windowDilation - dim.paddingLow
  const index = dilated / dim.baseDilation
  return Number.isInteger(index) && index >= 0 && index < dim.inputSize ? index : -1
}

export function windowPlaces(dims: readonly WindowDim[]): WindowPlaces {
  let before: WindowPlaces = { numWindows: 1, windowSize: 1, places: Int32Array.of(0) }
  for (const dim of dims) {
    const numWindows = before.numWindows * dim.outputSize
    const windowSize = before.windowSize * dim.window
    const places = new Int32Array(numWindows * windowSize)
    for (let w = 0; w < numWindows; w++) {
      for (let k = 0; k < windowSize; k++) {
        const outer = before.places[Math.floor(w / dim.outputSize) * before.windowSize + Math.floor(k / dim.window)]
        const index = inputIndex(dim, w % dim.outputSize, k % dim.window)
        places[w * windowSize + k] = outer < 0 || index < 0 ? -1 : outer + index * dim.inputStride
      }
    }
    before = { numWindows, windowSize, places }
  }
  return before
}

/** A source of pictures that are changed at random each time they are trained on. */
import { TalwegError } from '../core/errors.js'
import { formatType } from '../core/shape.js'
import { fingerprint } from './fingerprint.js'
import { changeColours, drawChange, movePicture, type AugmentOptions, type PictureForm } from './images/augment.js'
import type { Batch, BatchElement, DataSource, SampleIndices, SourceDescription } from './source.js'

const defaults: Required<AugmentOptions> = {
  shift: 0,
  crop: 1,
  flip: false,
  brightness: 0,
  contrast: 0,
  saturation: 0,
  hue: 0,
  fill: 0,
  seed: 0,
}

/**
 * The same samples, whose `images` (u8 [height, width, channels]) are moved, cut out, mirrored and coloured at random, otherwise in each
 * epoch. Held-out samples stay as they are.
 *
 * @example
 * data: async () => data.augmentImages(await data.images('flowers', { validation: 0.1 }), { shift: 4, flip: true, brightness: 0.2 })
 * @throws INVALID_SETTING
 */
export function augmentImages(source: DataSource, options: AugmentOptions): DataSource {
  const { images } = source.element
  if (images === undefined || images.dtype !== 'u8' || images.shape.length !== 3) {
    const found = images === undefined ? 'this data has none' : `these are ${formatType(images)}`
    throw invalid(`it takes images u8[height, width, channels], and ${found}`)
  }
  const [height, width, channels] = images.shape
  const all = { ...defaults, ...options }
  checkOptions(all, { height, width, channels })
  return new AugmentedImages(source, all, { height, width, channels })
}

class AugmentedImages implements DataSource {
  readonly element: BatchElement
  readonly numSamples: number
  readonly numClasses?: number
  readonly fingerprint: string
  readonly validation?: DataSource
  readonly gatherSync?: (indices: SampleIndices, into: Batch, firstRow?: number, epochs?: SampleIndices) => void
  readonly #source: DataSource
  readonly #options: Required<AugmentOptions>
  readonly #form: PictureForm
  readonly #scratch: Uint8Array

  constructor(source: DataSource, options: Required<AugmentOptions>, form: PictureForm) {
    this.element = source.element
    this.numSamples = source.numSamples
    if (source.numClasses !== undefined) this.numClasses = source.numClasses
    if (source.validation !== undefined) this.validation = source.validation
    this.fingerprint = fingerprint(['augmented', source.fingerprint, JSON.stringify(options)])
    if (source.gatherSync !== undefined) {
      this.gatherSync = (indices, into, firstRow = 0, epochs) => {
        source.gatherSync?.(indices, into, firstRow, epochs)
        this.#change(indices, into, firstRow, epochs)
      }
    }
    this.#source = source
    this.#options = options
    this.#form = form
    this.#scratch = new Uint8Array(form.height * form.width * form.channels)
  }

  async gather(indices: SampleIndices, into: Batch, firstRow = 0, epochs?: SampleIndices): Promise<void> {
    await this.#source.gather(indices, into, firstRow, epochs)
    this.#change(indices, into, firstRow, epochs)
  }

  #change(indices: SampleIndices, into: Batch, firstRow: number, epochs: SampleIndices | undefined): void {
    if (epochs === undefined) return
    const size = this.#scratch.length
    const images = into.images.data as Uint8Array
    for (let row = 0; row < indices.length; row++) {
      const picture = images.subarray((firstRow + row) * size, (firstRow + row + 1) * size)
      const change = drawChange(this.#options, this.#form, indices[row], epochs[row])
      this.#scratch.set(picture)
      movePicture(this.#scratch, picture, this.#form, change, this.#options.fill)
      changeColours(picture, this.#form, change)
    }
  }

  describe(): SourceDescription {
    return this.#source.describe()
  }

  async close(): Promise<void> {
    await this.#source.close()
  }
}

function checkOptions(options: Required<AugmentOptions>, { height, width, channels }: PictureForm): void {
  const { shift, crop, brightness, contrast, saturation, hue, fill, seed } = options
  if (!(Number.isInteger(shift) && shift >= 0 && shift < Math.min(height, width)))
    throw invalid(`shift is ${shift}; it takes whole pixels from 0 to less than the picture's ${height} × ${width}`)
  for (const [name, value] of Object.entries({ brightness, contrast, saturation }))
    if (!(value >= 0 && value <= 1)) throw invalid(`${name} is ${value}; it takes a number from 0 to 1`)
  if (!(crop > 0 && crop <= 1)) throw invalid(`crop is ${crop}; it takes a number above 0 and at most 1`)
  if (crop < 1 && shift > 0) throw invalid(`crop is ${crop} and shift is ${shift}; a piece is at any place already`)
  if (!(hue >= 0 && hue <= 0.5)) throw invalid(`hue is ${hue}; it takes a number from 0 to 0.5`)
  for (const [name, value] of Object.entries({ saturation, hue }))
    if (value > 0 && channels < 3) throw invalid(`${name} is ${value}, and the pictures have no colours`)
  if (!(Number.isInteger(fill) && fill >= 0 && fill <= 255))
    throw invalid(`fill is ${fill}; it takes a whole number from 0 to 255`)
  if (!(Number.isSafeInteger(seed) && seed >= 0))
    throw invalid(`seed is ${seed}; it takes a whole number of at least 0`)
}

function invalid(problem: string): TalwegError {
  return new TalwegError({ code: 'INVALID_SETTING', operation: 'data.augmentImages', problem })
}

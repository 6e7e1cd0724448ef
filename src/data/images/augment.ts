/**
 * One picture changed at random: shifted, mirrored, its colours moved. What is drawn depends on the seed, the sample and the
 * epoch alone, so a run that is resumed, or shared by workers, sees the same pictures.
 *
 * Source of the choices: the training of ResNet on CIFAR-10 in He et al., 2015 (padding, crop, mirror); Krizhevsky et al., 2012
 * (colours).
 */
import { philoxBits } from '../../core/random.js'

export interface AugmentOptions {
  /** The picture is moved by up to so many pixels each way, as by padding it all round and cutting its size out again. Default 0. */
  readonly shift?: number
  /** Mirrors every second picture, left to right. Default false. */
  readonly flip?: boolean
  /** Brightness is multiplied by a number drawn from 1 - b to 1 + b. Default 0. */
  readonly brightness?: number
  /** So is the distance of each number from the picture's mean. Default 0. */
  readonly contrast?: number
  /** So is the distance of each pixel's colours from its grey. Only for pictures in colour. Default 0. */
  readonly saturation?: number
  /** What the padding holds, 0 to 255. Default 0. */
  readonly fill?: number
  /** Default 0. */
  readonly seed?: number
}

export interface PictureForm {
  readonly height: number
  readonly width: number
  readonly channels: number
}

/** What was drawn for a picture. */
export interface Change {
  /** Rows and columns that the picture is moved down and right by. */
  readonly down: number
  readonly right: number
  readonly isFlipped: boolean
  /** What brightness, contrast and saturation are multiplied by. */
  readonly brightness: number
  readonly contrast: number
  readonly saturation: number
}

/** Tells these random words from others of the same seed. */
const streamTag = 0x61756720

/** What is done to a sample in an epoch. */
export function drawChange(options: Required<AugmentOptions>, sample: number, epoch: number): Change {
  const { shift, flip, seed } = options
  // Two counters of four words a sample.
  const words = philoxBits([seed >>> 0, (Math.floor(seed / 2 ** 32) ^ streamTag) >>> 0, 2 * sample, epoch], 6)
  const unit = (index: number): number => words[index] / 2 ** 32
  const move = (index: number): number => Math.floor(unit(index) * (2 * shift + 1)) - shift
  const factor = (index: number, most: number): number => 1 + (2 * unit(index) - 1) * most
  return {
    down: move(0),
    right: move(1),
    isFlipped: flip && unit(2) < 0.5,
    brightness: factor(3, options.brightness),
    contrast: factor(4, options.contrast),
    saturation: factor(5, options.saturation),
  }
}

/** Puts the picture at `from`, moved and mirrored, to `into`. Both are u8 [height, width, channels]. */
export function movePicture(from: Uint8Array, into: Uint8Array, form: PictureForm, change: Change, fill: number): void {
  const { height, width, channels } = form
  const { down, right, isFlipped } = change
  into.fill(fill)
  for (let row = 0; row < height; row++) {
    const sourceRow = row - down
    if (sourceRow < 0 || sourceRow >= height) continue
    for (let column = 0; column < width; column++) {
      const moved = column - right
      if (moved < 0 || moved >= width) continue
      const source = (sourceRow * width + (isFlipped ? width - 1 - moved : moved)) * channels
      const target = (row * width + column) * channels
      for (let channel = 0; channel < channels; channel++) into[target + channel] = from[source + channel]
    }
  }
}

/** A pixel's grey, by the weights of ITU-R BT.601. */
function greyOf(picture: Uint8Array, place: number, channels: number): number {
  if (channels < 3) return picture[place]
  return 0.299 * picture[place] + 0.587 * picture[place + 1] + 0.114 * picture[place + 2]
}

/** Changes brightness, then contrast, then saturation, rounding once. A fourth channel, transparency, stays. */
export function changeColours(picture: Uint8Array, { channels }: PictureForm, change: Change): void {
  const { brightness, contrast, saturation } = change
  if (brightness === 1 && contrast === 1 && saturation === 1) return
  const numColours = channels < 3 ? 1 : 3
  let sum = 0
  for (let place = 0; place < picture.length; place += channels) sum += greyOf(picture, place, channels)
  const mean = (brightness * sum) / (picture.length / channels)
  for (let place = 0; place < picture.length; place += channels) {
    const grey = mean + (brightness * greyOf(picture, place, channels) - mean) * contrast
    for (let channel = 0; channel < numColours; channel++) {
      const value = mean + (brightness * picture[place + channel] - mean) * contrast
      picture[place + channel] = Math.min(255, Math.max(0, Math.round(grey + (value - grey) * saturation)))
    }
  }
}

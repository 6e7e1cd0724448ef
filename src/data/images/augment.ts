/**
 * One picture changed at random: shifted, mirrored, its colours moved. What is drawn depends on the seed, the sample and the
 * epoch alone, so a run that is resumed, or shared by workers, sees the same pictures.
 *
 * Source of the choices: the training of ResNet on CIFAR-10 in He et al., 2015 (padding, crop, mirror); Szegedy et al., "Going
 * deeper with convolutions", 2014 (crops of any size); Krizhevsky et al., 2012 (colours).
 */
import { philoxBits, seedKey } from '../../core/random.js'

export interface AugmentOptions {
  /** The picture is moved by up to so many pixels each way, as by padding it all round and cutting its size out again. Default 0. */
  readonly shift?: number
  /**
   * The smallest share of the picture's area that is cut out and enlarged to the picture's size; the piece's width to its height is
   * as the picture's, times a number from 3/4 to 4/3. 0.08 is usual for ImageNet. Not together with `shift`. Default 1: nothing is cut.
   */
  readonly crop?: number
  /** Mirrors every second picture, left to right. Default false. */
  readonly flip?: boolean
  /** Brightness is multiplied by a number drawn from 1 - b to 1 + b. Default 0. */
  readonly brightness?: number
  /** So is the distance of each number from the picture's mean. Default 0. */
  readonly contrast?: number
  /** So is the distance of each pixel's colours from its grey. Only for pictures in colour. Default 0. */
  readonly saturation?: number
  /** Colours are turned by up to this share of their circle, each way; at most 0.5. Only for pictures in colour. Default 0. */
  readonly hue?: number
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
  /** What is cut out, in pixels; undefined where nothing is. */
  readonly piece: Piece | undefined
  /** What brightness, contrast and saturation are multiplied by. */
  readonly brightness: number
  readonly contrast: number
  readonly saturation: number
  /** What hues are turned by, as a share of their circle. */
  readonly hue: number
}

/** A rectangle of a picture. */
export interface Piece {
  readonly top: number
  readonly left: number
  readonly height: number
  readonly width: number
}

/** Tells these random words from others of the same seed. */
const streamTag = 0x61756720

/** What is done to a sample in an epoch. */
export function drawChange(
  options: Required<AugmentOptions>,
  form: PictureForm,
  sample: number,
  epoch: number,
): Change {
  const { shift, flip, crop, seed } = options
  // Three counters of four words a sample, in two streams.
  const draw = (tag: number, count: number) => philoxBits([...seedKey(seed, tag), 2 * sample, epoch], count)
  const words = [...draw(streamTag, 8), ...draw(streamTag + 1, 1)]
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
    piece: crop === 1 ? undefined : drawPiece(crop, form, [0, 1, 6, 7].map(unit)),
    hue: (2 * unit(8) - 1) * options.hue,
  }
}

/** Of an area from `crop` to all, evenly; of a form whose logarithm is even; at any place. */
function drawPiece(crop: number, { height, width }: PictureForm, [down, right, size, form]: readonly number[]): Piece {
  const side = Math.sqrt(crop + (1 - crop) * size)
  const stretch = Math.sqrt((4 / 3) ** (2 * form - 1))
  const pixels = (all: number, share: number): number => Math.min(all, Math.max(1, Math.round(all * share)))
  const piece = { height: pixels(height, side / stretch), width: pixels(width, side * stretch) }
  return {
    ...piece,
    top: Math.floor(down * (height - piece.height + 1)),
    left: Math.floor(right * (width - piece.width + 1)),
  }
}

/** Puts the picture at `from`, moved and mirrored, to `into`. Both are u8 [height, width, channels]. */
export function movePicture(from: Uint8Array, into: Uint8Array, form: PictureForm, change: Change, fill: number): void {
  const { height, width, channels } = form
  const { down, right, isFlipped, piece } = change
  if (piece !== undefined) return enlarge(from, into, form, piece, isFlipped)
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

/** Puts a piece of the picture at `from` to `into`, as large as the whole and mirrored: linear between the centres of pixels. */
function enlarge(from: Uint8Array, into: Uint8Array, form: PictureForm, piece: Piece, isFlipped: boolean): void {
  const { height, width, channels } = form
  const rows = betweenOf(height, piece.height)
  const columns = betweenOf(width, piece.width)
  for (let row = 0; row < height; row++) {
    const y = rows[row]
    const top = (piece.top + y.first) * width
    const bottom = (piece.top + y.second) * width
    for (let column = 0; column < width; column++) {
      const x = columns[isFlipped ? width - 1 - column : column]
      const left = piece.left + x.first
      const right = piece.left + x.second
      for (let channel = 0; channel < channels; channel++) {
        const at = (pixel: number): number => from[pixel * channels + channel]
        const above = at(top + left) * (1 - x.share) + at(top + right) * x.share
        const below = at(bottom + left) * (1 - x.share) + at(bottom + right) * x.share
        into[(row * width + column) * channels + channel] = Math.round(above * (1 - y.share) + below * y.share)
      }
    }
  }
}

/** For each pixel of a line of `count`, the two of `numSource` that it lies between, and how much of the second it has. */
function betweenOf(count: number, numSource: number): { first: number; second: number; share: number }[] {
  return Array.from({ length: count }, (_, index) => {
    const place = Math.min(numSource - 1, Math.max(0, ((index + 0.5) * numSource) / count - 0.5))
    const first = Math.floor(place)
    return { first, second: Math.min(numSource - 1, first + 1), share: place - first }
  })
}

/** A pixel's grey, by the weights of ITU-R BT.601. */
function greyOf(picture: Uint8Array, place: number, channels: number): number {
  if (channels < 3) return picture[place]
  return 0.299 * picture[place] + 0.587 * picture[place + 1] + 0.114 * picture[place + 2]
}

/** Changes brightness, then contrast, saturation and hue, rounding once. A fourth channel, transparency, stays. */
export function changeColours(picture: Uint8Array, { channels }: PictureForm, change: Change): void {
  const { brightness, contrast, saturation, hue } = change
  if (brightness === 1 && contrast === 1 && saturation === 1 && hue === 0) return
  const numColours = channels < 3 ? 1 : 3
  const colour = new Float64Array(numColours)
  let sum = 0
  for (let place = 0; place < picture.length; place += channels) sum += greyOf(picture, place, channels)
  const mean = (brightness * sum) / (picture.length / channels)
  for (let place = 0; place < picture.length; place += channels) {
    const grey = mean + (brightness * greyOf(picture, place, channels) - mean) * contrast
    for (let channel = 0; channel < numColours; channel++) {
      const value = mean + (brightness * picture[place + channel] - mean) * contrast
      colour[channel] = Math.min(255, Math.max(0, grey + (value - grey) * saturation))
    }
    if (hue !== 0) turnHue(colour, hue)
    for (let channel = 0; channel < numColours; channel++) picture[place + channel] = Math.round(colour[channel])
  }
}

/** Turns red, green and blue on the circle of hues by `share` of it: what is largest, and what is smallest, stays so much. */
function turnHue(colour: Float64Array, share: number): void {
  const [red, green, blue] = colour
  const largest = Math.max(red, green, blue)
  const spread = largest - Math.min(red, green, blue)
  if (spread === 0) return
  let sixths = (red - green) / spread + 4
  if (largest === red) sixths = (green - blue) / spread
  else if (largest === green) sixths = (blue - red) / spread + 2
  const turned = sixths + 6 * share + 12
  for (let channel = 0; channel < 3; channel++) {
    // How far, in sixths of the circle, the hue is from where this channel is smallest.
    const distance = (turned + (5 - 2 * channel)) % 6
    colour[channel] = largest - spread * Math.max(0, Math.min(distance, 4 - distance, 1))
  }
}

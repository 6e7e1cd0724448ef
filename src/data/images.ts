/**
 * Image sets: from folders (a class a subfolder), and from IDX files as MNIST comes.
 *
 * Samples are `{ images: u8[height, width, channels], labels: i32[] }`: bytes as they are, because four times the memory
 * for floats buys nothing; the model converts (`images / 255`) inside the graph.
 */
import { availableParallelism } from 'node:os'
import { TalwegError } from '../core/errors.js'
import { tensorData, type TensorData } from '../core/shape.js'
import { RowsSource } from './arrays.js'
import { toPath, type FilePath } from './files.js'
import { fingerprint, fingerprintFiles } from './fingerprint.js'
import { decodeImage, imageSize, listImages, type ImageForm, type LabelledImage } from './images/folder.js'
import { readIdx } from './images/idx.js'
import { splitRows } from './split.js'
import type { Batch, BatchElement, DataSource, SampleIndices, SourceDescription } from './source.js'

export interface IdxOptions {
  readonly images: FilePath
  readonly labels: FilePath
  /** Held-out pictures: given together. */
  readonly testImages?: FilePath
  readonly testLabels?: FilePath
}

/**
 * Samples from IDX files, gzipped or not; grey pictures get a channel dimension of 1. All in memory.
 *
 * @example
 * data.idx({ images: 'train-images-idx3-ubyte', labels: 'train-labels-idx1-ubyte',
 *   testImages: 't10k-images-idx3-ubyte', testLabels: 't10k-labels-idx1-ubyte' })
 * @throws FILE_NOT_FOUND, INVALID_FILE, INVALID_DATA where pictures and labels don't fit together
 */
export function idx({ images, labels, testImages, testLabels }: IdxOptions): DataSource {
  if ((testImages === undefined) !== (testLabels === undefined)) {
    throw new TalwegError({
      code: 'INVALID_SETTING',
      operation: 'data.idx',
      problem: `${testImages === undefined ? 'testImages is' : 'testLabels is'} missing`,
      hint: 'give testImages and testLabels together',
    })
  }
  const training = readPair(toPath(images), toPath(labels))
  const test =
    testImages === undefined || testLabels === undefined ? undefined : readPair(toPath(testImages), toPath(testLabels))
  const numClasses = Math.max(training.numClasses, test?.numClasses ?? 0)
  const shape = training.tensors.images.shape.slice(1)
  const testShape = test?.tensors.images.shape.slice(1) ?? shape
  if (shape.join() !== testShape.join()) {
    throw new TalwegError({
      code: 'INVALID_DATA',
      operation: 'data.idx',
      problem: `pictures to train on are ${shape.join(' × ')}, those to test on ${testShape.join(' × ')}`,
      hint: 'give files of the same set',
      place: { file: toPath(testImages as FilePath) },
    })
  }
  const description: SourceDescription = { kind: 'images', shape, numClasses }
  const validation = test && new RowsSource(test.tensors, { numClasses, description })
  return new RowsSource(training.tensors, { numClasses, validation, description })
}

function readPair(
  imagesPath: string,
  labelsPath: string,
): { tensors: { images: TensorData; labels: TensorData }; numClasses: number } {
  const images = readIdx(imagesPath)
  const labels = readIdx(labelsPath)
  const invalid = (problem: string, file: string) =>
    new TalwegError({
      code: 'INVALID_DATA',
      operation: 'data.idx',
      problem,
      hint: 'give the images and the labels of the same set',
      place: { file },
    })
  if (images.shape.length < 3)
    throw invalid(`pictures have rank 3 or 4, and this file has rank ${images.shape.length}`, imagesPath)
  if (labels.shape.length !== 1)
    throw invalid(`labels have rank 1, and this file has rank ${labels.shape.length}`, labelsPath)
  if (images.shape[0] !== labels.shape[0]) {
    throw invalid(`there are ${labels.shape[0]} labels for ${images.shape[0]} pictures in "${imagesPath}"`, labelsPath)
  }
  if (images.shape[0] === 0) throw invalid('there is no picture in it', imagesPath)
  const shape = images.shape.length === 3 ? [...images.shape, 1] : images.shape
  const numClasses = (labels.data as Uint8Array).reduce((largest, label) => Math.max(largest, label), 0) + 1
  return { tensors: { images: { ...images, shape }, labels: tensorData('i32', labels.shape, labels.data) }, numClasses }
}

export interface ImagesOptions {
  /** Size to scale to. Default: the first picture's. */
  readonly height?: number
  readonly width?: number
  /** Default 3. */
  readonly channels?: 1 | 3 | 4
  /** Held-out pictures: a fraction, or a folder of the same classes. */
  readonly validation?: number | FilePath
  /** Decoded pictures are held in memory up to this size; beyond it they are decoded for each batch. Default 2 GiB. */
  readonly maxBytesInMemory?: number
}

/**
 * Samples from pictures laid out as FOLDER/CLASS/PICTURE.png (JPEG, PNG, WebP, GIF, AVIF, TIFF); classes are the
 * subfolders' names, sorted.
 *
 * @example
 * await data.images('flowers', { height: 64, width: 64, validation: 0.1 })
 * @throws FILE_NOT_FOUND, INVALID_DATA naming a picture that can't be decoded
 */
export async function images(folder: FilePath, options: ImagesOptions = {}): Promise<DataSource> {
  const { validation = 0, channels = 3, maxBytesInMemory = 2 ** 31 } = options
  checkForm(options)
  const { classes, images: all } = listImages(toPath(folder))
  const first = await imageSize(all[0].file)
  const form: ImageForm = { height: options.height ?? first.height, width: options.width ?? first.width, channels }
  const [training, heldOut] =
    typeof validation === 'number' ? splitImages(all, validation) : [all, listAgain(validation, classes)]
  const sizeBytes = (training.length + heldOut.length) * form.height * form.width * channels
  const open = async (list: readonly LabelledImage[], held?: DataSource): Promise<DataSource> => {
    const source = new ImageSource(list, classes, form, held)
    return sizeBytes <= maxBytesInMemory ? source.inMemory() : source
  }
  return open(training, heldOut.length === 0 ? undefined : await open(heldOut))
}

/** @throws INVALID_SETTING */
function checkForm({ height, width, channels = 3 }: ImagesOptions): void {
  const invalid = (problem: string, hint: string): TalwegError =>
    new TalwegError({ code: 'INVALID_SETTING', operation: 'data.images', problem, hint })
  for (const [name, size] of Object.entries({ height, width })) {
    if (size !== undefined && !(Number.isInteger(size) && size >= 1))
      throw invalid(`${name} is ${size}`, 'give a whole number of pixels, at least 1')
  }
  if (![1, 3, 4].includes(channels))
    throw invalid(`channels is ${String(channels)}`, 'give 1 (grey), 3 (colour) or 4 (with transparency)')
}

function splitImages(all: readonly LabelledImage[], fraction: number): [LabelledImage[], LabelledImage[]] {
  const rows = splitRows(all.length, fraction)
  return [rows.training.map((row) => all[row]), rows.validation.map((row) => all[row])]
}

function listAgain(folder: FilePath, classes: readonly string[]): readonly LabelledImage[] {
  const other = listImages(toPath(folder))
  if (other.classes.join('\0') === classes.join('\0')) return other.images
  throw new TalwegError({
    code: 'INVALID_DATA',
    operation: 'data.images',
    problem: `the classes to train on are ${classes.join(', ')}, those to validate on ${other.classes.join(', ')}`,
    hint: 'give both folders the same subfolders',
    place: { file: toPath(folder) },
  })
}

/** Pictures that are decoded when they are read. */
class ImageSource implements DataSource {
  readonly element: BatchElement
  readonly numSamples: number
  readonly numClasses: number
  readonly fingerprint: string
  readonly validation?: DataSource
  readonly #images: readonly LabelledImage[]
  readonly #classes: readonly string[]
  readonly #form: ImageForm

  constructor(list: readonly LabelledImage[], classes: readonly string[], form: ImageForm, validation?: DataSource) {
    const { height, width, channels } = form
    this.element = { images: { dtype: 'u8', shape: [height, width, channels] }, labels: { dtype: 'i32', shape: [] } }
    this.numSamples = list.length
    this.numClasses = classes.length
    const files = fingerprintFiles(list.map(({ file }) => file))
    const labels = Int32Array.from(list, ({ label }) => label)
    this.fingerprint = fingerprint([JSON.stringify(form), files, labels, validation?.fingerprint ?? 'no validation'])
    if (validation !== undefined) this.validation = validation
    this.#images = list
    this.#classes = classes
    this.#form = form
  }

  async gather(indices: SampleIndices, into: Batch, firstRow = 0): Promise<void> {
    const { height, width, channels } = this.#form
    let next = 0
    const decodeSome = async () => {
      while (next < indices.length) {
        const row = next++
        const { file, label } = this.#images[indices[row]]
        into.labels.data[firstRow + row] = label
        await decodeImage(
          file,
          this.#form,
          into.images.data as Uint8Array,
          (firstRow + row) * height * width * channels,
        )
      }
    }
    await Promise.all(Array.from({ length: availableParallelism() }, decodeSome))
  }

  /** The same samples, decoded once. */
  async inMemory(): Promise<DataSource> {
    const { numSamples, numClasses, validation } = this
    const images = tensorData('u8', [numSamples, ...this.element.images.shape])
    const labels = tensorData('i32', [numSamples])
    await this.gather(
      Int32Array.from({ length: numSamples }, (_, index) => index),
      { images, labels },
    )
    return new RowsSource({ images, labels }, { numClasses, validation, description: this.describe() })
  }

  describe(): SourceDescription {
    return {
      kind: 'images',
      shape: [...this.element.images.shape],
      numClasses: this.numClasses,
      classes: [...this.#classes],
    }
  }

  async close(): Promise<void> {}
}

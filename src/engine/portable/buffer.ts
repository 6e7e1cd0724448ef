/** State on the device: an array that a step replaces. */
import { dtypes } from '../../core/dtype.js'
import { numElements, type TensorData, type TensorType } from '../../core/shape.js'
import { checkData } from '../boundary.js'
import type { EngineBuffer } from '../engine.js'
import { fromDevice, toDevice } from './dtypes.js'
import type { Queue } from './queue.js'
import type { DeviceArray } from './term.js'

/** An array with an owner that may change it: kept apart from its owner, so that it can be released once that is gone. */
export interface Holder {
  array: DeviceArray
}

const abandoned = new FinalizationRegistry<Holder>((holder) => holder.array.dispose())

export class PortableBuffer implements EngineBuffer {
  private readonly holder: Holder

  constructor(
    readonly type: TensorType,
    data: TensorData | undefined,
    private readonly queue: Queue,
  ) {
    if (data !== undefined) checkData('allocate', type, data)
    this.holder = { array: upload(type, data ?? zeros(type)) }
    abandoned.register(this, this.holder)
  }

  /** What it holds; stays the buffer's. */
  get array(): DeviceArray {
    return this.holder.array
  }

  /** Takes over `array` and releases what was there. */
  replace(array: DeviceArray): void {
    this.holder.array.dispose()
    this.holder.array = array
  }

  read(into?: TensorData): Promise<TensorData> {
    return this.queue.run('read', async () => {
      const { dtype, shape } = this.type
      if (into !== undefined) checkData('read', this.type, into)
      const data = await fromDevice(this.array, this.type)
      if (into === undefined) return { dtype, shape, data }
      into.data.set(data)
      return into
    })
  }

  write(data: TensorData): Promise<void> {
    return this.queue.run('write', async () => {
      checkData('write', this.type, data)
      this.replace(upload(this.type, data))
    })
  }
}

function upload(type: TensorType, data: TensorData): DeviceArray {
  return toDevice(type, data, 0, numElements(type.shape), 'allocate')
}

function zeros({ dtype, shape }: TensorType): TensorData {
  return { dtype, shape, data: dtypes[dtype].allocate(numElements(shape)) }
}

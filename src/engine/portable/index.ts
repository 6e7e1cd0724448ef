/**
 * The portable engine: jax-js, which compiles to WebAssembly and needs nothing installed. For browsers, and for Node where
 * nothing native can be built. No `node:` import here.
 *
 * Same bits from run to run: jax-js' WebAssembly has a fixed order of summation.
 */
import { defaultDevice } from '@jax-js/jax'
import { invariant, TalwegError } from '../../core/errors.js'
import { boundState } from '../boundary.js'
import type { Engine } from '../engine.js'
import { PortableBuffer } from './buffer.js'
import { portableDType, portableDTypes } from './dtypes.js'
import { PortableExecutable } from './executable.js'
import { coded, Queue } from './queue.js'

export interface PortableOptions {
  /** How much a part of a step may store before memory is used again; see `plan.ts`. 256 MiB by default. */
  readonly segmentBytes?: number
}

/**
 * @returns the portable engine. It has all element types but bf16, f64 included, and no kernels for composites: jax-js
 *   fuses their decompositions.
 * @throws ENGINE_UNAVAILABLE where there is no WebAssembly
 */
export function createPortableEngine({ segmentBytes }: PortableOptions = {}): Engine {
  if (defaultDevice() !== 'wasm') {
    throw new TalwegError({
      code: 'ENGINE_UNAVAILABLE',
      operation: 'portable engine',
      problem: 'there is no WebAssembly here',
      hint: 'use --engine native or --engine reference',
    })
  }
  const queue = new Queue()
  return {
    name: 'portable',
    composites: new Set(),
    dtypes: portableDTypes,
    description: 'portable: jax-js on WebAssembly, one thread',
    allocate: (type, data) => {
      portableDType(type, 'allocate')
      try {
        return new PortableBuffer(type, data, queue)
      } catch (error) {
        throw coded(error, 'allocate')
      }
    },
    load: async (program, state) => {
      const buffers = boundState(program, state).map((buffer) => {
        invariant(buffer instanceof PortableBuffer, 'state of the portable engine is in buffers of its own')
        return buffer
      })
      return new PortableExecutable(program, buffers, queue, segmentBytes)
    },
  }
}

/** XLA from TypeScript: the Python runner (`run.py --serve`) as a child process, asked a module at a time. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { dtypes, type DType } from '../../src/core/dtype.js'
import { TalwegError } from '../../src/core/errors.js'
import { numElements, type Shape, type TensorData } from '../../src/core/shape.js'

interface SentTensor {
  readonly dtype: DType
  readonly shape: Shape
  /** Base64 of the elements' bytes. */
  readonly data: string
}

type Answer = { readonly outputs: readonly (readonly SentTensor[])[] } | { readonly error: string }

const folder = fileURLToPath(new URL('.', import.meta.url))
const python = fileURLToPath(new URL('../.environment/bin/python', import.meta.url))

/** XLA's CPU; its `run` rejects with XLA's own message where it does not accept a module. */
export class XlaMachine {
  private readonly child: ChildProcessWithoutNullStreams
  private readonly lines: AsyncIterator<string>
  private readonly reader: Interface

  constructor() {
    if (!existsSync(python)) {
      throw new TalwegError({
        code: 'FILE_NOT_FOUND',
        operation: 'bench:xla',
        problem: 'bench/.environment is not there',
        hint: 'run bench/setup',
      })
    }
    this.child = spawn(python, [`${folder}run.py`, '--serve'], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stderr.pipe(process.stderr)
    // Writing to a child that has died; the read that follows says so.
    this.child.stdin.on('error', () => undefined)
    this.reader = createInterface({ input: this.child.stdout })
    this.lines = this.reader[Symbol.asyncIterator]()
  }

  /** @param inputs a row for each replica; so has the result */
  async run(module: string, inputs: readonly (readonly TensorData[])[]): Promise<TensorData[][]> {
    this.child.stdin.write(`${JSON.stringify({ module, inputs: inputs.map((row) => row.map(encode)) })}\n`)
    const { value, done } = await this.lines.next()
    if (done === true)
      throw new TalwegError({ code: 'ENGINE_FAILED', operation: 'bench:xla', problem: 'XLA ended before it answered' })
    const answer = JSON.parse(value) as Answer
    if ('error' in answer)
      throw new TalwegError({ code: 'ENGINE_FAILED', operation: 'bench:xla', problem: answer.error })
    return answer.outputs.map((row) => row.map(decode))
  }

  close(): void {
    this.child.stdin.end()
    this.reader.close()
  }
}

function encode({ dtype, shape, data }: TensorData): SentTensor {
  return { dtype, shape, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64') }
}

function decode({ dtype, shape, data }: SentTensor): TensorData {
  const bytes = Buffer.from(data, 'base64')
  const elements = dtypes[dtype].allocate(numElements(shape))
  new Uint8Array(elements.buffer).set(bytes)
  return { dtype, shape, data: elements }
}

/**
 * What a worker and its supervisor say to each other: a JSON object a line, over a socket that lives as long as both do. Its
 * end is how either learns that the other is gone, however that came about.
 */
import type { Socket } from 'node:net'
import * as z from 'zod'
import { parseJson } from '../../exchange/disk.js'

/** The environment variable by which a worker finds its supervisor: an `Endpoint` as JSON. */
export const supervisorVariable = 'TALWEG_SUPERVISOR'

export const endpointSchema = z.object({
  /** A socket's path on this machine, or addresses of which one can be reached from where the worker is. */
  path: z.string().optional(),
  addresses: z.array(z.string()).optional(),
  port: z.number().optional(),
  /** Shows that a worker is of this run: others on the network can reach the port too. */
  token: z.string(),
})
export type Endpoint = z.infer<typeof endpointSchema>

const fromWorkerSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('hello'),
    token: z.string(),
    rank: z.number(),
    size: z.number(),
    pid: z.number(),
    host: z.string(),
    version: z.string(),
  }),
  /** Said every second. */
  z.object({ kind: z.literal('alive'), step: z.number().optional() }),
  /** Something for whoever watches the training; worker 0 alone says it. */
  z.object({ kind: z.literal('event'), name: z.string(), data: z.unknown() }),
  /** A part of standard output. */
  z.object({ kind: z.literal('output'), text: z.string() }),
  z.object({ kind: z.literal('failed'), code: z.string(), exitCode: z.number(), message: z.string() }),
  z.object({ kind: z.literal('ended'), exitCode: z.number() }),
])
export type FromWorker = z.infer<typeof fromWorkerSchema>

const toWorkerSchema = z.object({ kind: z.literal('stop'), signal: z.string() })
export type ToWorker = z.infer<typeof toWorkerSchema>

export function parseFromWorker(line: string): FromWorker | undefined {
  return fromWorkerSchema.safeParse(parseJson(line)).data
}

export function parseToWorker(line: string): ToWorker | undefined {
  return toWorkerSchema.safeParse(parseJson(line)).data
}

export function sendMessage(socket: Socket, message: FromWorker | ToWorker): void {
  if (!socket.destroyed && socket.writable) socket.write(`${JSON.stringify(message)}\n`)
}

/** Calls `take` with each whole line that a stream gives. */
export function onLines(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (piece: string) => {
    const lines = `${rest}${piece}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
  })
  stream.on('end', () => {
    if (rest !== '') take(rest)
    rest = ''
  })
}

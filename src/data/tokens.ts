/**
 * Text by a Hugging Face tokenizer. Tokens are made once, kept in a file that a hash of text and tokenizer names,
 * and read from it: whole into memory where they are few, else window by window.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { TalwegError } from '../core/errors.js'
import { resolveCacheFolder } from './cacheFolder.js'
import { fileSizeBytes, readTextPieces, toPath, toPaths, type FilePath, type FilePaths } from './files.js'
import { fingerprint, fingerprintFiles } from './fingerprint.js'
import { openTokenFile, writeTokenFile, type OpenTokens } from './text/tokenCache.js'
import { restoreTokenizer, type TokenizerCodec } from './text/tokenizer.js'
import { FileTokens, MemoryTokens, type TokenStore } from './text/tokenStore.js'
import { validationStartOf, windowSource, type WindowSource } from './text/windows.js'

export interface TokensOptions {
  /** Path of a `tokenizer.json`. */
  readonly tokenizer: FilePath
  /** Tokens in a window. */
  readonly context: number
  /** The part of the tokens' end that is held out. Default 0. */
  readonly validation?: number
  /** A token to put after each file, such as `<|endoftext|>`. Default none. */
  readonly separator?: string
  /** Where token files are kept; see `resolveCacheFolder`. */
  readonly cacheFolder?: string
  /** Up to this many tokens are held in memory, 4 bytes each. Default 2^25 (128 MiB). */
  readonly maxTokensInMemory?: number
}

/**
 * Samples `{ tokens: i32[context], targets: i32[context] }` from text files, joined in the order given.
 *
 * @example
 * await data.tokens('book.txt', { tokenizer: 'tokenizer.json', context: 256, validation: 0.1 })
 * @throws FILE_NOT_FOUND, INVALID_FILE, INVALID_DATA (too short), DISK_FULL
 */
export async function tokens(source: FilePaths, options: TokensOptions): Promise<WindowSource> {
  const { context, validation = 0, separator, maxTokensInMemory = 2 ** 25 } = options
  const paths = toPaths(source)
  for (const textPath of paths) fileSizeBytes(textPath, 'data.tokens')
  const tokenizerPath = toPath(options.tokenizer)
  fileSizeBytes(tokenizerPath, 'data.tokens')
  const json = readFileSync(tokenizerPath, 'utf8')
  const codec = await restoreTokenizer(json, tokenizerPath)
  const separatorId = separator === undefined ? undefined : separatorIdOf(codec, separator, tokenizerPath)
  const identity = fingerprint(['tokens', json, separator ?? '', fingerprintFiles(paths)])
  const cached = path.join(resolveCacheFolder(options.cacheFolder), 'tokens', `${identity}.tokens`)
  let open = openTokenFile(cached)
  if (open === undefined) {
    writeTokenFile(cached, codec.vocabulary, encodeFiles(paths, codec, separatorId))
    open = openTokenFile(cached)
  }
  if (open === undefined) throw damagedCache(cached)
  const store = storeOf(open, identity, maxTokensInMemory)
  return windowSource(store, codec, context, validationStartOf(store.numTokens, validation))
}

function storeOf({ file, numTokens }: OpenTokens, identity: string, maxTokensInMemory: number): TokenStore {
  const store = new FileTokens(file, 0, numTokens, identity)
  if (numTokens > maxTokensInMemory) return store
  const inMemory = new Int32Array(numTokens)
  const piece = 2 ** 18
  for (let start = 0; start < numTokens; start += piece) {
    store.read(start, Math.min(piece, numTokens - start), inMemory, start)
  }
  store.close()
  return new MemoryTokens(inMemory)
}

function* encodeFiles(
  paths: readonly string[],
  codec: TokenizerCodec,
  separatorId: number | undefined,
): Generator<Int32Array> {
  for (const textPath of paths) {
    for (const piece of cutText(readTextPieces(textPath, 'data.tokens'), codec.canBeCut)) yield codec.encode(piece)
    if (separatorId !== undefined) yield Int32Array.of(separatorId)
  }
}

const pieceLength = 2 ** 16

/** Pieces that end after a letter and before a newline, where no token can straddle; else the text as a whole. */
function* cutText(pieces: Iterable<string>, canBeCut: boolean): Generator<string> {
  let rest = ''
  for (const piece of pieces) {
    rest += piece
    for (let cut = canBeCut ? lastCut(rest) : 0; cut > 0; cut = lastCut(rest)) {
      yield rest.slice(0, cut)
      rest = rest.slice(cut)
    }
  }
  if (rest !== '') yield rest
}

/** The last place for a cut in the first `pieceLength` characters of a text that is longer, else 0. */
function lastCut(text: string): number {
  if (text.length <= pieceLength) return 0
  for (let place = text.lastIndexOf('\n', pieceLength); place > 0; place = text.lastIndexOf('\n', place - 1)) {
    if (/\p{Letter}/u.test(text[place - 1])) return place
  }
  return 0
}

function separatorIdOf(codec: TokenizerCodec, separator: string, file: string): number {
  const id = codec.idOf(separator)
  if (id !== undefined) return id
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'data.tokens',
    problem: `the separator ${JSON.stringify(separator)} is no token of this tokenizer`,
    hint: 'name a special token that it has, such as <|endoftext|> or [SEP]',
    place: { file },
  })
}

function damagedCache(file: string): TalwegError {
  return new TalwegError({
    code: 'INVALID_FILE',
    operation: 'data.tokens',
    problem: 'the file of tokens that was just written does not read back as written',
    hint: 'check the disk',
    place: { file },
  })
}

/**
 * Talweg as one file, `talweg.cjs`, from `src/` and the small libraries that every launch needs: finding, reading and
 * compiling four hundred modules one by one took longer than all else before the first step. The command and `import 'talweg'`
 * are a few lines each that load it (`load.cjs`), so both have the same instance of every module.
 *
 * What is large and seldom needed (DuckDB, sharp, jax-js, ECharts, protobufjs, tokenizers, yargs for the help) stays outside.
 */
import { build } from 'esbuild'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../..')
const source = path.join(root, 'src')

/** Loaded from node_modules, when they are needed. */
const external = [
  '@duckdb/node-api',
  '@huggingface/tokenizers',
  '@jax-js/jax',
  'echarts',
  'protobufjs',
  'sharp',
  'yargs',
]

/** Parts are evaluated when they are asked for. */
const entry = `exports.talweg = () => require('./index.ts')\nexports.run = () => require('./cli/run.ts')`

/**
 * Keeps what a file knows of its place: `import.meta.url` is the address it would have if it were not bundled.
 * Packages outside are imported by a function that is given: a script made by `vm.Script` can't do it itself.
 */
const places = {
  name: 'places',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/, namespace: 'file' }, ({ path: file }) => {
      const place = path.relative(source, file).replace(/\.ts$/, '.js')
      const contents = readFileSync(file, 'utf8')
        .replaceAll('import.meta.url', `require('node:url').pathToFileURL(__root + ${JSON.stringify(place)}).href`)
        .replaceAll(/\bimport\('(?=[^.])/g, "importModule('")
      return { contents, loader: 'ts' }
    })
    onLoad({ filter: /\/jiti\/lib\/jiti\.cjs$/ }, ({ path: file }) => ({
      contents: readFileSync(file, 'utf8').replaceAll('import(id)', 'importModule(id)'),
    }))
  },
}

const common = {
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  sourcemap: 'linked',
  sourcesContent: false,
  plugins: [places],
  logLevel: 'warning',
}

/** Builds `file` as for `dist/`, from where its source map goes on, and writes it into `folder`. */
async function buildInto(folder, file, options) {
  const place = path.join(root, 'dist')
  const result = await build({ ...common, ...options, outfile: path.join(place, file), write: false })
  for (const output of result.outputFiles) {
    writeFileSync(path.join(folder, path.relative(place, output.path)), output.contents)
  }
  return result
}

async function bundleAll(folder) {
  const { metafile } = await buildInto(folder, 'talweg.cjs', {
    stdin: { contents: entry, resolveDir: source, sourcefile: 'talweg' },
    external,
    // Of the libraries, of which one makes its `require` by it.
    define: { 'import.meta.url': '__filename' },
    // The form that loads its own compiler by `require`, so only for a file that it hasn't compiled before.
    alias: { jiti: path.join(root, 'node_modules/jiti/lib/jiti.cjs') },
    metafile: true,
    banner: { js: `module.exports = (importModule) => { const exports = {}; const __root = __dirname + '/';` },
    footer: { js: 'return exports }' },
  })
  return Object.keys(metafile.inputs)
}

/** Only what `--version` needs; the rest is in the one file. */
async function bundleCommand(folder) {
  await buildInto(folder, 'cli/main.js', {
    entryPoints: [path.join(source, 'cli/main.ts')],
    banner: { js: `const __root = __dirname.slice(0, -'cli'.length);` },
    plugins: [loadedRun, places],
  })
  writeFileSync(path.join(folder, 'cli/package.json'), '{ "type": "commonjs" }\n')
  chmodSync(path.join(folder, 'cli/main.js'), 0o755)
}

const loadedRun = {
  name: 'loadedRun',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/run\.js$/ }, () => ({ path: 'run', namespace: 'loaded' }))
    onResolve({ filter: /\/load\.cjs$/ }, ({ path: file }) => ({ path: file, external: true }))
    onLoad({ filter: /.*/, namespace: 'loaded' }, () => ({ contents: `module.exports = require('../load.cjs').run()` }))
  },
}

/** The package as it is imported, with the names that `src/index.ts` exports. */
function writeIndex(folder) {
  const names = Object.keys(createRequire(import.meta.url)(path.join(folder, 'load.cjs')).talweg())
  const lines = ["import loaded from './load.cjs'", '', `export const { ${names.join(', ')} } = loaded.talweg()`, '']
  writeFileSync(path.join(folder, 'index.js'), lines.join('\n'))
}

/** The licences of the libraries that are in the file ask for their text to be kept with them. */
function writeLicences(folder, inputs) {
  const packages = new Set(inputs.flatMap((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []))
  const texts = [...packages].toSorted().map((place) => {
    const { name, version, license } = JSON.parse(readFileSync(path.join(place, 'package.json'), 'utf8'))
    return `${name} ${version}, ${license}\n\n${licenceOf(place)}`
  })
  writeFileSync(path.join(folder, 'bundled-licences.txt'), texts.join(`\n${'-'.repeat(80)}\n\n`))
}

function licenceOf(place) {
  const file = readdirSync(place).find((name) => /^licen[cs]e/i.test(name))
  if (file === undefined) throw new Error(`bundle: ${place} has no licence file`)
  return readFileSync(path.join(place, file), 'utf8')
}

export async function bundle(folder) {
  mkdirSync(path.join(folder, 'cli'), { recursive: true })
  const inputs = await bundleAll(folder)
  await bundleCommand(folder)
  copyFileSync(path.join(import.meta.dirname, 'load.cjs'), path.join(folder, 'load.cjs'))
  writeIndex(folder)
  writeLicences(folder, inputs)
}

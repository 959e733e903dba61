import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runInNewContext } from 'node:vm'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { MAX_LINES, violations } from './architecture-rules.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

function sources(): Map<string, string> {
  const files = new Map<string, string>()
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) visit(path)
      else if (entry.name.endsWith('.ts'))
        files.set(relative(ROOT, path), readFileSync(path, 'utf8'))
    }
  }
  for (const folder of ['core', 'adapters', 'native', 'infra', 'test']) visit(join(ROOT, folder))
  return files
}

test('every import goes the way the architecture says, and no file is longer than the linter allows', () => {
  expect(violations(sources())).toEqual([])
})

describe('a planted violation is found:', () => {
  const long = 'x\n'.repeat(MAX_LINES + 1)
  for (const [path, source, complaint] of [
    ['core/a/b.ts', 'x', "has no place in core's order"],
    ['core/model/x.ts', "import { readFile } from 'node:fs'", 'core imports only core'],
    ['core/model/x.ts', "import type { Hono } from 'hono'", 'core imports only core'],
    ['core/model/x.ts', "import '../../adapters/http/app.ts'", 'core imports only core'],
    ['core/model/x.ts', "const a = await import('koffi')", 'core imports only core'],
    ['core/tensor.ts', "import { a } from './server.ts'", 'core imports point one way'],
    ['core/config/x.ts', "import { a } from '../model/model.ts'", 'core imports point one way'],
    [
      'core/protocol/x.ts',
      "import {\n  a,\n} from '../schedulers/direct.ts'",
      'protocol and schedulers do not know each other',
    ],
    [
      'adapters/stores/x.ts',
      "import { a } from '../backends/onnx.ts'",
      'adapter families do not import each other',
    ],
    ['adapters/cli/x.ts', "import '../targets/server/main.ts'", 'nothing imports a target'],
    ['adapters/targets/dev/x.ts', "import '../server/parts.ts'", 'nothing imports a target'],
    ['adapters/cli/x.ts', "export * from '../../infra/build.ts'", 'nothing imports test or infra'],
    ['adapters/cli/x.ts', "import '../../native/ffi.ts'", 'native is reached from'],
    ['native/x.ts', "import { a } from '../core/tensor.ts'", 'native is a leaf'],
    ['adapters/cli/x.ts', "import { Hono } from 'hono'", 'hono has one place'],
    [
      'adapters/metrics/x.ts',
      "import { Registry } from 'prom-client'",
      'prom-client has one place',
    ],
    ['adapters/backends/x.ts', "import koffi from 'koffi'", 'koffi has one place'],
    ['adapters/http/app.ts', "import { createServer } from 'node:http'", 'the app is portable'],
    ['adapters/http/node/x.ts', "import { open } from 'node:fs/promises'", 'files are touched by'],
    ['test/x.ts', long, `the limit is ${MAX_LINES}`],
  ] as const) {
    test(`${path}: ${complaint}`, () => {
      const found = violations(new Map([[path, source]]))
      expect(found).toContainEqual(expect.stringContaining(complaint))
    })
  }
})

/** Bundles `contents` for no platform in particular: whatever needs one does not resolve. */
async function neutral(contents: string) {
  const result = await build({
    stdin: { contents, resolveDir: ROOT, sourcefile: 'guest.ts', loader: 'ts' },
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'neutral',
    format: 'iife',
    globalName: 'guest',
    metafile: true,
    write: false,
    logLevel: 'silent',
  })
  const inputs = Object.keys(result.metafile.inputs).filter((path) => path !== 'guest.ts')
  return { code: result.outputFiles[0]!.text, inputs }
}

test('core bundles for a neutral platform, from its own files alone', async () => {
  const { inputs } = await neutral("export * from './core/index.ts'")
  expect(inputs.length).toBeGreaterThan(20)
  expect(inputs.filter((path) => !path.startsWith('core/'))).toEqual([])
})

for (const planted of ["'node:fs'", "'hono'"]) {
  test(`an import of ${planted} is caught by the neutral bundle`, async () => {
    const bundle = neutral(
      `import * as x from ${planted}; export { x }; export * from './core/index.ts'`,
    )
    const outcome = await bundle.then(
      ({ inputs }) => inputs.filter((path) => !path.startsWith('core/')),
      (error: Error) => error.message,
    )
    expect(outcome).not.toEqual([])
  })
}

/** What browsers, workers and edge runtimes have in common, and nothing of Node. */
const WEB_GLOBALS = { TextEncoder, TextDecoder, AbortController, AbortSignal, URL }

const GUEST = `
import { createServer, fileMapStore, InferRequest } from './core/index.ts'

const io = (name: string) => ({ name, datatype: 'INT32' as const, shape: [-1, 4] })
const echo = {
  name: 'echo',
  defaultModelFilename: '',
  load: async () => ({
    io: { inputs: [io('IN')], outputs: [io('OUT')] },
    instance: async () => ({
      execute(batch, _marks, done) {
        const [input] = batch.requests[0].inputs
        done({ outputs: [{ ...input, name: 'OUT' }] })
      },
      close: async () => {},
    }),
    close: async () => {},
  }),
}
const config = \`backend: "echo" max_batch_size: 8
input [{ name: "IN" data_type: TYPE_INT32 dims: [ 4 ] }]
output [{ name: "OUT" data_type: TYPE_INT32 dims: [ 4 ] }]\`

export async function serveOne(clock) {
  const quiet = () => {}
  const log = { error: quiet, warning: quiet, info: quiet, verbose: quiet }
  const files = new Map([['m/config.pbtxt', new TextEncoder().encode(config)], ['m/1/keep', new Uint8Array()]])
  const server = await createServer({
    platform: { clock, log },
    stores: [fileMapStore({ root: 'memory', files })],
    backends: [echo],
  })
  const model = server.model('m', '')
  const data = new Uint8Array([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0])
  const answer = await new Promise((resolve) => {
    const request = new InferRequest(
      { inputs: [{ name: 'IN', datatype: 'INT32', shape: [1, 4], data }] },
      { answer: (_request, response) => resolve(response) },
    )
    model.check(request)
    model.submit(request)
  })
  const { success } = model.stats
  await server.close()
  return JSON.stringify({
    errors: server.startupErrors,
    output: answer.outputs[0].name,
    bytes: [...answer.outputs[0].data],
    answered: success.count,
  })
}
`

test('the neutral bundle serves an inference where there is nothing of Node', async () => {
  const { code, inputs } = await neutral(GUEST)
  expect(inputs.filter((path) => !path.startsWith('core/'))).toEqual([])
  const clock = {
    now: () => performance.now() * 1e6,
    epochMs: () => Date.now(),
    after: (ns: number, run: () => void) => {
      const timer = setTimeout(run, ns / 1e6)
      return () => clearTimeout(timer)
    },
    nextTurn: (run: () => void) => void setImmediate(run),
  }
  const world = { ...WEB_GLOBALS, clock }
  const answer = await (runInNewContext(`${code}; guest.serveOne(clock)`, world) as Promise<string>)
  expect(JSON.parse(answer)).toEqual({
    errors: [],
    output: 'OUT',
    bytes: [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0],
    answered: 1,
  })
  expect(runInNewContext('typeof process + typeof Buffer + typeof require', world)).toBe(
    'undefined'.repeat(3),
  )
})

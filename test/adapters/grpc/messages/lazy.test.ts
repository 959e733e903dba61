import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { expect, test } from 'vitest'

const GRPC = fileURLToPath(new URL('../../../../adapters/grpc/', import.meta.url))
const HEAVY = /@bufbuild\/protobuf|_pb\.ts$/

test.each(['server.ts', 'control/control-methods.ts', 'reflection/reflection-methods.ts'])(
  '%s loads neither the protobuf library nor a generated message when it starts',
  async (entry) => {
    const { metafile } = await build({
      entryPoints: { entry: GRPC + entry },
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      outdir: 'out',
      write: false,
      metafile: true,
      logLevel: 'silent',
      external: ['koffi'],
    })
    const outputs = Object.entries(metafile.outputs)
    const loaded = new Set<string>()
    const load = (path: string): void => {
      if (loaded.has(path)) return
      loaded.add(path)
      for (const { path: next, kind } of metafile.outputs[path]?.imports ?? []) {
        if (kind === 'import-statement') load(next)
      }
    }
    load(outputs.find(([path]) => path.endsWith('entry.js'))![0])
    const inputs = [...loaded].flatMap((path) => Object.keys(metafile.outputs[path]?.inputs ?? {}))
    expect(inputs.length).toBeGreaterThan(0)
    expect(inputs.filter((path) => HEAVY.test(path))).toEqual([])
  },
)

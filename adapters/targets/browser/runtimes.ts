import webgpuUrl from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm'
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm'
import * as wasm from 'onnxruntime-web/wasm'
import * as webgpu from 'onnxruntime-web/webgpu'
import type { WebProvider, WebRuntime } from '../../backends/onnx-web-session.ts'

/** Two builds of one package: the one with WebGPU is twice as large, so each is fetched by the first model that needs it. */
const BUILDS = {
  wasm: { ort: wasm, file: wasmUrl },
  webgpu: { ort: webgpu, file: webgpuUrl },
} as const

/** Names of the files with WebAssembly, which change with their contents. */
export const WASM_FILES: readonly string[] = [wasmUrl, webgpuUrl]

/**
 * Fetches and sets up ONNX Runtime, each build once. `read` gets the bytes of a file that lies beside the scripts and whose
 * name changes with its content.
 */
export function runtimes(
  read: (file: string) => Promise<Uint8Array<ArrayBuffer>>,
): (provider: WebProvider) => Promise<WebRuntime> {
  const ready = new Map<WebProvider, Promise<WebRuntime>>()
  return (provider) => {
    let runtime = ready.get(provider)
    if (runtime === undefined) {
      runtime = setUp(provider, read)
      runtime.catch(() => ready.delete(provider))
      ready.set(provider, runtime)
    }
    return runtime
  }
}

async function setUp(
  provider: WebProvider,
  read: (file: string) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<WebRuntime> {
  const { ort, file } = BUILDS[provider]
  ort.env.wasm.wasmBinary = (await read(file)).buffer
  // More threads would need workers, which service workers cannot have, and headers that many hosts cannot set.
  ort.env.wasm.numThreads = 1
  ort.env.wasm.proxy = false
  ort.env.logLevel = 'fatal'
  return ort
}

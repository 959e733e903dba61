import { filBackend } from '../../../core/backend/fil.ts'
import { identityBackend } from '../../../core/backend/identity.ts'
import { repeatBackend } from '../../../core/backend/repeat.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../../core/protocol/limits.ts'
import { createServer } from '../../../core/server.ts'
import { onnxWebBackend } from '../../backends/onnx-web.ts'
import type { WebProvider } from '../../backends/onnx-web-session.ts'
import { createApp } from '../../http/app.ts'
import { webPlatform } from '../../platform/web.ts'
import { remoteStore } from '../../stores/remote.ts'
import { forgetOthers, type Keep, keptFiles, onceFetched } from './kept.ts'
import { runtimes, WASM_FILES } from './runtimes.ts'

export interface TabServerOptions {
  /** The folder on a web server in which the model repository and its manifest lie; absolute. */
  readonly repository: string
  /** What the URLs of requests have before `/v2`. Default nothing: they begin at the root of the site. */
  readonly base?: string
  /** Runs all models, whatever their instance groups say. Default: KIND_GPU on WebGPU, KIND_CPU on wasm. */
  readonly provider?: WebProvider | undefined
  /** How often the repository is looked at, seconds. Default 15. */
  readonly pollSecs?: number
  /** Where models and WebAssembly are kept for when there is no network. Default: nothing is kept. */
  readonly keep?: Keep | undefined
  /** Default: the global one. */
  readonly fetch?: typeof fetch
}

/** What runs models here. */
export interface TabFacts {
  /** What runs all models; `auto` = what their instance groups say. */
  readonly provider: WebProvider | 'auto'
  /** Vendor and architecture of the WebGPU adapter; '' = there is none. */
  readonly adapter: string
}

export interface TabServer {
  readonly facts: TabFacts
  /** Answers requests for `/v2/…` as a Triton server does. */
  fetch(request: Request): Promise<Response>
  /** Unloads all models. Idempotent. */
  close(): Promise<void>
}

/** A server inside a page or a worker, with every model of the repository loaded that loads. */
export async function startTabServer(options: TabServerOptions): Promise<TabServer> {
  const { repository, base = '', provider, pollSecs, keep = NOTHING_KEPT } = options
  const get = options.fetch ?? ((input, init) => fetch(input, init))
  const platform = webPlatform()
  const { clock, log } = platform
  const adapter = await webgpuAdapter()
  const webgpu = adapter !== ''
  const beside = (file: string): string => new URL(file, import.meta.url).href
  await forgetOthers(keep, WASM_FILES.map(beside))
  const runtime = runtimes((file) => onceFetched(keep, get, beside(file)))
  const server = await createServer({
    platform,
    stores: [remoteStore({ files: keptFiles(repository.replace(/\/+$/, ''), keep, get) })],
    backends: [
      onnxWebBackend({ clock, runtime, webgpu, provider }),
      identityBackend({ clock }),
      repeatBackend({ clock }),
      filBackend({ clock }),
    ],
    options: {
      modelControlMode: 'poll',
      ...(pollSecs === undefined ? {} : { repositoryPollSecs: pollSecs }),
    },
  })
  const app = createApp({ server, log, limits: DEFAULT_PROTOCOL_LIMITS })
  return {
    facts: { provider: provider === 'webgpu' && !webgpu ? 'wasm' : (provider ?? 'auto'), adapter },
    fetch: async (request) => app.fetch(withoutBase(request, base)),
    close: () => server.close(),
  }
}

const NOTHING_KEPT: Keep = {
  match: async () => undefined,
  put: async () => undefined,
  delete: async () => false,
  keys: async () => [],
}

/** `request` as if the site were nothing but this server. */
function withoutBase(request: Request, base: string): Request {
  if (base === '') return request
  const url = new URL(request.url)
  url.pathname = url.pathname.slice(base.length)
  const { method, headers, body, signal } = request
  // `duplex` is required of bodies that are streams, and not known to every type.
  const init: RequestInit & { duplex: 'half' } = { method, headers, body, signal, duplex: 'half' }
  return new Request(url, init)
}

/** What is used of `navigator.gpu`. */
interface Gpu {
  requestAdapter(): Promise<{ readonly info: Readonly<Record<string, string>> } | null>
}

async function webgpuAdapter(): Promise<string> {
  const { gpu } = navigator as { readonly gpu?: Gpu }
  const adapter = await gpu?.requestAdapter().catch(() => null)
  if (adapter === null || adapter === undefined) return ''
  const { vendor = '', architecture = '' } = adapter.info
  return `${vendor} ${architecture}`.trim() || 'unknown'
}

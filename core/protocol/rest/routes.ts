import type { Operation } from '../../operations.ts'

/** Operations that have a URL. */
export type RestOperation = Exclude<Operation, 'infer-stream' | 'reflection'>

export interface RouteParams {
  readonly model?: string
  /** Decimal digits; absent = what the version policy serves. */
  readonly version?: string
  readonly region?: string
  readonly repository?: string
}

interface Route {
  /** Segments; `:name` takes one segment, `:version` digits only. */
  readonly path: string
  readonly methods: readonly string[]
  readonly operation: RestOperation
}

const GET = ['GET']
const POST = ['POST']
const BOTH = ['GET', 'POST']
const ALL = ['GET', 'POST', 'DELETE']

function versioned(path: string, methods: readonly string[], operation: RestOperation): Route[] {
  return [
    { path: `/v2/models/:model${path}`, methods, operation },
    { path: `/v2/models/:model/versions/:version${path}`, methods, operation },
  ]
}

function sharedMemory(kind: 'system' | 'cuda'): Route[] {
  return (['status', 'register', 'unregister'] as const).flatMap((action) => {
    const methods = action === 'status' ? GET : POST
    const operation: RestOperation = `${kind}-shm-${action}`
    return [
      { path: `/v2/${kind}sharedmemory/${action}`, methods, operation },
      { path: `/v2/${kind}sharedmemory/region/:region/${action}`, methods, operation },
    ]
  })
}

/** Every route. Where two match, the first counts: a model called `stats` has no metadata, as with Triton. */
export const ROUTES: readonly Route[] = [
  { path: '/v2/models/stats', methods: GET, operation: 'model-stats' },
  { path: '/v2/logging', methods: BOTH, operation: 'logging' },
  ...versioned('/ready', GET, 'model-ready'),
  ...versioned('/infer', POST, 'infer'),
  ...versioned('/generate', POST, 'generate'),
  ...versioned('/generate_stream', POST, 'generate-stream'),
  ...versioned('/config', GET, 'model-config'),
  ...versioned('/stats', GET, 'model-stats'),
  {
    path: '/v2/models/:model/trace/setting',
    methods: BOTH,
    operation: 'trace-setting',
  },
  { path: '/v2/models/:model/traffic', methods: ALL, operation: 'model-traffic' },
  ...versioned('', GET, 'model-metadata'),
  { path: '/v2', methods: GET, operation: 'server-metadata' },
  { path: '/v2/health/live', methods: GET, operation: 'server-live' },
  { path: '/v2/health/ready', methods: GET, operation: 'server-ready' },
  ...sharedMemory('system'),
  ...sharedMemory('cuda'),
  ...['', '/:repository'].flatMap((repository): Route[] => {
    const common = { methods: POST } as const
    const base = `/v2/repository${repository}`
    return [
      { ...common, path: `${base}/index`, operation: 'repository-index' },
      { ...common, path: `${base}/models/:model/load`, operation: 'model-load' },
      { ...common, path: `${base}/models/:model/unload`, operation: 'model-unload' },
    ]
  }),
  { path: '/v2/trace/setting', methods: BOTH, operation: 'trace-setting' },
]

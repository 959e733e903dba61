/** What Triton's `--http-restricted-api` groups routes by. */
export type ApiCategory =
  | 'health'
  | 'metadata'
  | 'inference'
  | 'shared-memory'
  | 'model-config'
  | 'model-repository'
  | 'statistics'
  | 'trace'
  | 'logging'

export type Operation =
  | 'server-live'
  | 'server-ready'
  | 'server-metadata'
  | 'model-ready'
  | 'model-metadata'
  | 'model-config'
  | 'model-stats'
  | 'infer'
  | 'generate'
  | 'generate-stream'
  | 'trace-setting'
  | 'logging'
  | 'repository-index'
  | 'model-load'
  | 'model-unload'
  | 'system-shm-status'
  | 'system-shm-register'
  | 'system-shm-unregister'
  | 'cuda-shm-status'
  | 'cuda-shm-register'
  | 'cuda-shm-unregister'

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
  readonly operation: Operation
  readonly category: ApiCategory
}

const GET = ['GET']
const POST = ['POST']
const BOTH = ['GET', 'POST']

function versioned(
  path: string,
  methods: readonly string[],
  operation: Operation,
  category: ApiCategory,
): Route[] {
  return [
    { path: `/v2/models/:model${path}`, methods, operation, category },
    { path: `/v2/models/:model/versions/:version${path}`, methods, operation, category },
  ]
}

function sharedMemory(kind: 'system' | 'cuda'): Route[] {
  const category = 'shared-memory'
  return (['status', 'register', 'unregister'] as const).flatMap((action) => {
    const methods = action === 'status' ? GET : POST
    const operation: Operation = `${kind}-shm-${action}`
    return [
      { path: `/v2/${kind}sharedmemory/${action}`, methods, operation, category },
      { path: `/v2/${kind}sharedmemory/region/:region/${action}`, methods, operation, category },
    ]
  })
}

/** Every route. Where two match, the first counts: a model called `stats` has no metadata, as with Triton. */
export const ROUTES: readonly Route[] = [
  { path: '/v2/models/stats', methods: GET, operation: 'model-stats', category: 'statistics' },
  { path: '/v2/logging', methods: BOTH, operation: 'logging', category: 'logging' },
  ...versioned('/ready', GET, 'model-ready', 'health'),
  ...versioned('/infer', POST, 'infer', 'inference'),
  ...versioned('/generate', POST, 'generate', 'inference'),
  ...versioned('/generate_stream', POST, 'generate-stream', 'inference'),
  ...versioned('/config', GET, 'model-config', 'model-config'),
  ...versioned('/stats', GET, 'model-stats', 'statistics'),
  {
    path: '/v2/models/:model/trace/setting',
    methods: BOTH,
    operation: 'trace-setting',
    category: 'trace',
  },
  ...versioned('', GET, 'model-metadata', 'metadata'),
  { path: '/v2', methods: GET, operation: 'server-metadata', category: 'metadata' },
  { path: '/v2/health/live', methods: GET, operation: 'server-live', category: 'health' },
  { path: '/v2/health/ready', methods: GET, operation: 'server-ready', category: 'health' },
  ...sharedMemory('system'),
  ...sharedMemory('cuda'),
  ...['', '/:repository'].flatMap((repository): Route[] => {
    const common = { methods: POST, category: 'model-repository' } as const
    const base = `/v2/repository${repository}`
    return [
      { ...common, path: `${base}/index`, operation: 'repository-index' },
      { ...common, path: `${base}/models/:model/load`, operation: 'model-load' },
      { ...common, path: `${base}/models/:model/unload`, operation: 'model-unload' },
    ]
  }),
  { path: '/v2/trace/setting', methods: BOTH, operation: 'trace-setting', category: 'trace' },
]

/** What Triton's `--http-restricted-api` and `--grpc-restricted-protocol` group operations by. */
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

/** Everything a client can ask for, whichever door it comes through. */
export type Operation =
  | 'server-live'
  | 'server-ready'
  | 'server-metadata'
  | 'reflection'
  | 'model-ready'
  | 'model-metadata'
  | 'model-config'
  | 'model-stats'
  | 'infer'
  | 'infer-stream'
  | 'generate'
  | 'generate-stream'
  | 'trace-setting'
  | 'logging'
  | 'repository-index'
  | 'model-load'
  | 'model-unload'
  | 'model-traffic'
  | 'system-shm-status'
  | 'system-shm-register'
  | 'system-shm-unregister'
  | 'cuda-shm-status'
  | 'cuda-shm-register'
  | 'cuda-shm-unregister'

/** The group of each operation: a new operation does not compile without one. */
export const CATEGORY_OF: Readonly<Record<Operation, ApiCategory>> = {
  'server-live': 'health',
  'server-ready': 'health',
  'server-metadata': 'metadata',
  reflection: 'metadata',
  'model-ready': 'health',
  'model-metadata': 'metadata',
  'model-config': 'model-config',
  'model-stats': 'statistics',
  infer: 'inference',
  'infer-stream': 'inference',
  generate: 'inference',
  'generate-stream': 'inference',
  'trace-setting': 'trace',
  logging: 'logging',
  'repository-index': 'model-repository',
  'model-load': 'model-repository',
  'model-unload': 'model-repository',
  'model-traffic': 'model-repository',
  'system-shm-status': 'shared-memory',
  'system-shm-register': 'shared-memory',
  'system-shm-unregister': 'shared-memory',
  'cuda-shm-status': 'shared-memory',
  'cuda-shm-register': 'shared-memory',
  'cuda-shm-unregister': 'shared-memory',
}

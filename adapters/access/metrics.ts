import type { FamilySamples } from '../../core/metrics/model-series.ts'
import type { KeyFile } from './key-file.ts'

/** What was asked of the key file, by the id of the key and what came of it. Ids are those of the file, so there are few. */
export function accessMetrics(keys: KeyFile): readonly FamilySamples[] {
  return [
    {
      family: {
        name: 'nereid_auth_requests',
        type: 'counter',
        help: 'Number of requests that asked for access, by key id and result',
      },
      samples: keys.access
        .counts()
        .map(({ keyId, result, value }) => ({ labels: { key_id: keyId, result }, value })),
    },
    {
      family: {
        name: 'nereid_auth_reload_failed',
        type: 'gauge',
        help: 'Whether the key file was changed to something that cannot be used',
      },
      samples: [{ labels: {}, value: keys.reloadFailed ? 1 : 0 }],
    },
  ]
}

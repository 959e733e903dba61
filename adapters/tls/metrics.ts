import type { FamilySamples } from '../../core/metrics/model-series.ts'
import type { TlsSource } from './material.ts'

/** When the certificate of each door ends, and whether its last change could be used. */
export function tlsMetrics(sources: ReadonlyMap<string, TlsSource>): readonly FamilySamples[] {
  if (sources.size === 0) return []
  const each = (value: (source: TlsSource) => number): FamilySamples['samples'] =>
    [...sources].map(([door, source]) => ({ labels: { door }, value: value(source) }))
  return [
    {
      family: {
        name: 'nereid_tls_not_after_seconds',
        type: 'gauge',
        help: 'End of the TLS certificate in use, in seconds since the Unix epoch',
      },
      samples: each(({ material }) => material.notAfterMs / 1000),
    },
    {
      family: {
        name: 'nereid_tls_reload_failed',
        type: 'gauge',
        help: 'Whether the TLS files were changed to something that cannot be used',
      },
      samples: each(({ reloadFailed }) => (reloadFailed ? 1 : 0)),
    },
  ]
}

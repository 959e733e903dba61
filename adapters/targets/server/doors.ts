import { combinedAccess } from '../../../core/access/combined.ts'
import { type ForwardHeaders, forwardHeaders } from '../../../core/access/forward-headers.ts'
import { type Restriction, restrictedAccess } from '../../../core/access/restrictions.ts'
import type { Access, AccessRefusal, Caller } from '../../../core/access/types.ts'
import type { FamilySamples } from '../../../core/metrics/model-series.ts'
import { type KeyFile, keyFile } from '../../access/key-file.ts'
import { accessMetrics } from '../../access/metrics.ts'
import type { ServeOptions } from '../../cli/options.ts'
import type { NodePlatform } from '../../platform/node.ts'
import { type TlsFiles, type TlsSource, tlsSource } from '../../tls/material.ts'
import { tlsMetrics } from '../../tls/metrics.ts'
import { watchFiles } from '../../tls/watch-files.ts'

/** What all ports of a server share: who is let in, by which certificates, and which headers are taken along. */
export interface Doors {
  /** Undefined = everybody may do everything. */
  readonly access: Access | undefined
  readonly httpTls: TlsSource | undefined
  readonly grpcTls: TlsSource | undefined
  readonly httpForward: ForwardHeaders | undefined
  readonly grpcForward: ForwardHeaders | undefined
  /** Undefined = metrics are for everybody. */
  readonly authorizeMetrics: ((caller: Caller) => AccessRefusal | null) | undefined
  families(): readonly FamilySamples[]
  /** Stops watching files. Idempotent. */
  close(): void
}

/** Reads the files that doors need. Throws an Error with what is wrong with the first of them that cannot be used. */
export function openDoors(setup: {
  readonly options: Pick<ServeOptions, 'http' | 'access'>
  readonly platform: NodePlatform
  readonly grpc?: {
    readonly restrictions: readonly Restriction[]
    readonly tls: TlsFiles | undefined
  }
}): Doors {
  const { platform, grpc } = setup
  const { http, access: flags } = setup.options
  const { clock, log } = platform
  const watched: { close(): void }[] = []
  const close = (): void => {
    for (const one of watched) one.close()
  }
  const tls = new Map<string, TlsSource>()
  const openTls = (door: string, files: TlsFiles | undefined): TlsSource | undefined => {
    if (files === undefined) return undefined
    const source = tlsSource({ files, door, log, watch: watchFiles, epochMs: clock.epochMs })
    watched.push(source)
    tls.set(door, source)
    return source
  }
  let keys: KeyFile | undefined
  try {
    if (flags.authFile !== '') {
      keys = keyFile({ path: flags.authFile, log, clock, watch: watchFiles })
      watched.push(keys)
    }
    const restricted = restrictedAccess({
      http: http.restrictions,
      grpc: grpc?.restrictions ?? [],
    })
    const known = keys
    return {
      access: combinedAccess([restricted, known?.access]),
      httpTls: openTls('http', flags.httpTls),
      grpcTls: openTls('grpc', grpc?.tls),
      httpForward: forwardHeaders(flags.httpForwardPattern),
      grpcForward: forwardHeaders(flags.grpcForwardPattern),
      authorizeMetrics:
        flags.metricsRequireKey && known !== undefined
          ? (caller) => known.access.authorizeMetrics(caller)
          : undefined,
      families: () => [...(known === undefined ? [] : accessMetrics(known)), ...tlsMetrics(tls)],
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

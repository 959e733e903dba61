import type { StreamMethod, UnaryMethod } from './types.ts'

export const INFER_PATH = '/inference.GRPCInferenceService/ModelInfer'
export const STREAM_INFER_PATH = '/inference.GRPCInferenceService/ModelStreamInfer'

/** What serves a path. Inference has calls of its own; everything else is a method of a table. */
export type Route =
  | { readonly kind: 'infer' }
  | { readonly kind: 'stream-infer' }
  | { readonly kind: 'unary'; readonly method: UnaryMethod }
  | { readonly kind: 'stream'; readonly method: StreamMethod }

export function routeTable(
  unary: readonly UnaryMethod[],
  streams: readonly StreamMethod[],
): ReadonlyMap<string, Route> {
  const routes = new Map<string, Route>([
    [INFER_PATH, { kind: 'infer' }],
    [STREAM_INFER_PATH, { kind: 'stream-infer' }],
  ])
  for (const method of unary) routes.set(method.path, { kind: 'unary', method })
  for (const method of streams) routes.set(method.path, { kind: 'stream', method })
  return routes
}

import type { ServerError } from '../../core/errors.ts'
import { httpStatus } from '../../core/protocol/rest/status.ts'
import { REDIRECT_HEADER, VERTEX_BINARY_TYPE } from './front.ts'
import type { VertexSettings } from './types.ts'

/** How Vertex AI asks for inference, for listeners that answer it without the app. */
export interface VertexDialect {
  path(url: string, headers: Readonly<Record<string, string | string[] | undefined>>): string | null
  readonly binaryType: string
  readonly typesReplies: false
  status(error: ServerError): number
}

export function vertexDialect({ predictRoute, defaultModel }: VertexSettings): VertexDialect {
  const prediction = `/v2/models/${defaultModel}/infer`
  return {
    binaryType: VERTEX_BINARY_TYPE,
    typesReplies: false,
    path(url, headers) {
      if (url !== predictRoute) return null
      const wanted = headers[REDIRECT_HEADER]
      if (wanted === undefined) return prediction
      // Whatever is no inference is the app's to judge.
      return typeof wanted === 'string' ? `/${wanted}` : null
    },
    status: ({ code }) => httpStatus(code),
  }
}

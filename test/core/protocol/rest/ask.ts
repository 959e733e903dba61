import { DEFAULT_PROTOCOL_LIMITS } from '../../../../core/protocol/limits.ts'
import { createRestHandler, type RestOptions } from '../../../../core/protocol/rest/handlers.ts'
import type { RestResponse } from '../../../../core/protocol/rest/types.ts'
import { fakeLogControl, fakeModel, fakeServer, text, utf8 } from './fake-server.ts'

export const INFER = '/v2/models/echo/infer'
export const REQUEST: string = JSON.stringify({
  inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], data: [1, 2.5] }],
})

export interface Ask {
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array
  signal?: AbortSignal
}

/** A handler to put questions to. */
export function setUp(
  options: Partial<RestOptions> = {},
): (path: string, ask?: Ask) => Promise<RestResponse> {
  const handle = createRestHandler({
    server: fakeServer(fakeModel()),
    logControl: fakeLogControl(),
    limits: DEFAULT_PROTOCOL_LIMITS,
    ...options,
  })
  return (path: string, ask: Ask = {}): Promise<RestResponse> =>
    handle({
      method: ask.method ?? (ask.body === undefined ? 'GET' : 'POST'),
      path,
      header: (name) => ask.headers?.[name],
      body: async () =>
        typeof ask.body === 'string' ? utf8(ask.body) : (ask.body ?? new Uint8Array(0)),
      ...(ask.signal === undefined ? {} : { signal: ask.signal }),
    })
}
export const bodyOf = (reply: RestResponse): string => reply.body.map(text).join('')

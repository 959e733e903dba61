import type { IncomingMessage } from 'node:http'

/** Methods in the order of libevhtp's numbers, by which Triton's log calls them. */
const METHODS: readonly string[] = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'MKCOL',
  'COPY',
  'MOVE',
  'OPTIONS',
  'PROPFIND',
  'PROPPATCH',
  'LOCK',
  'UNLOCK',
  'TRACE',
  'CONNECT',
  'PATCH',
]

/** What Triton's verbose log says of a request: its path without what follows `?`, which may be a secret. */
export function requestLine({ method = '', url = '' }: IncomingMessage): string {
  const number = METHODS.indexOf(method)
  const query = url.indexOf('?')
  const path = query < 0 ? url : url.slice(0, query)
  return `HTTP request: ${number < 0 ? method : number} ${path}`
}

import { describe, expect, it } from 'vitest'
import { HeaderList } from '../../../adapters/http2/hpack/decoder.ts'
import { MALFORMED, requestHead, trailersAllowed } from '../../../adapters/http2/request-head.ts'

const BASE = [':method', 'POST', ':scheme', 'http', ':path', '/a', ':authority', 'host']
const list = (fields: readonly string[]) => new HeaderList(fields, 0, false)
const head = (fields: readonly string[]) => requestHead(list(fields))

describe('request head', () => {
  it('is what was sent, with repeated fields joined', () => {
    const one = head([...BASE, 'te', 'trailers', 'x-a', '1', 'x-a', '2', 'content-length', '7'])
    expect(one).toMatchObject({ method: 'POST', scheme: 'http', path: '/a', authority: 'host' })
    if (one === MALFORMED) throw new Error(one)
    expect(one.get('x-a')).toBe('1, 2')
    expect(one.get('x-b')).toBeUndefined()
    expect(one.contentLength).toBe(7)
  })

  it('is the same object for the same list', () => {
    const fields = list(BASE)
    expect(requestHead(fields)).toBe(requestHead(fields))
  })

  it('takes the authority from host where there is no pseudo-header for it', () => {
    expect(head([...BASE.slice(0, 6), 'host', 'b'])).toMatchObject({ authority: 'b' })
  })

  it('lets CONNECT through without scheme and path', () => {
    expect(head([':method', 'CONNECT', ':authority', 'a:1'])).toMatchObject({ path: '' })
  })

  it.each([
    ['an upper-case name', [...BASE, 'X-A', '1']],
    ['an empty name', [...BASE, '', '1']],
    ['a space in a name', [...BASE, 'x a', '1']],
    ['a colon in a name', [...BASE, 'x:a', '1']],
    ['a character outside of Latin in a name', [...BASE, 'x\u0101', '1']],
    ['a line feed in a value', [...BASE, 'x', 'a\nb']],
    ['a carriage return in a path', [...BASE.slice(0, 4), ':path', '/\r']],
    ['NUL in a value', [...BASE, 'x', 'a\0b']],
    ['an unknown pseudo-header', [...BASE, ':status', '200']],
    ['a prototype member as a pseudo-header', [...BASE, ':constructor', '1']],
    ['a pseudo-header twice', [...BASE, ':path', '/b']],
    ['a pseudo-header behind a field', [...BASE.slice(0, 6), 'x', '1', ':authority', 'a']],
    ['no method', BASE.slice(2)],
    ['no path', BASE.slice(0, 4)],
    ['an empty path', [...BASE.slice(0, 4), ':path', '']],
    ['no scheme', [':method', 'GET', ':path', '/']],
    ['connection', [...BASE, 'connection', 'close']],
    ['transfer-encoding', [...BASE, 'transfer-encoding', 'chunked']],
    ['te that is not trailers', [...BASE, 'te', 'gzip']],
    ['two content-lengths', [...BASE, 'content-length', '1', 'content-length', '2']],
    ['a signed content-length', [...BASE, 'content-length', '+1']],
    ['a huge content-length', [...BASE, 'content-length', '9'.repeat(20)]],
    ['CONNECT with a path', [':method', 'CONNECT', ':authority', 'a', ':path', '/']],
  ])('is malformed with %s', (_what, fields) => {
    expect(head(fields)).toBe(MALFORMED)
  })
})

describe('trailers', () => {
  it('hold regular fields only', () => {
    expect(trailersAllowed(list(['x-a', '1']))).toBe(true)
    expect(trailersAllowed(list([':path', '/']))).toBe(false)
    expect(trailersAllowed(list(['X-A', '1']))).toBe(false)
  })
})

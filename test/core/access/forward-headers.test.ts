import { expect, test } from 'vitest'
import { forwardHeaders, withForwarded } from '../../../core/access/forward-headers.ts'

test('headers whose names match become parameters under the names they were sent with', () => {
  const forward = forwardHeaders('^X-Tenant|trace')
  expect(forward?.(['x-tenant-id', 'a', 'Host', 'h', 'My-TRACE', 't'])).toEqual(
    new Map([
      ['x-tenant-id', 'a'],
      ['My-TRACE', 't'],
    ]),
  )
  expect(forward?.(['host', 'h'])).toBeNull()
  expect(forwardHeaders('')).toBeUndefined()
})

test.each([
  'sequence_id',
  'sequence_start',
  'sequence_end',
  'priority',
  'timeout',
  'headers',
  'binary_data_output',
  'triton_enable_empty_final_response',
  'triton_anything',
  'Priority',
])('a header called %s cannot be forwarded', (name) => {
  const text = `Header '${name}' is reserved for Triton usage and cannot be forwarded.`
  expect(() => forwardHeaders('.*')?.([name, '1'])).toThrow(text)
  expect(forwardHeaders('^x-')?.([name, '1'])).toBeNull()
})

test('a forwarded header comes after the parameters of the request itself', () => {
  const own = new Map([
    ['a', 'own'],
    ['b', 'own'],
  ])
  const merged = withForwarded(own, new Map([['b', 'forwarded']]))
  expect(merged).toEqual(
    new Map([
      ['a', 'own'],
      ['b', 'forwarded'],
    ]),
  )
  expect(withForwarded(own, null)).toBe(own)
})

test('a name that is too long is not forwarded', () => {
  expect(forwardHeaders('x')?.(['x'.repeat(257), '1', 'x'.repeat(256), '2'])?.size).toBe(1)
})

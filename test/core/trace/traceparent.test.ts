import { expect, test } from 'vitest'
import { parseTraceParent } from '../../../core/trace/traceparent.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

test('a parent is read with its flags and its state', () => {
  expect(parseTraceParent(`00-${TRACE}-${SPAN}-01`, 'a=b')).toEqual({
    traceId: TRACE,
    spanId: SPAN,
    flags: 1,
    state: 'a=b',
  })
  // A version to come may say more.
  expect(parseTraceParent(`cc-${TRACE}-${SPAN}-00-what`, undefined)).toMatchObject({ flags: 0 })
})

test.each([
  undefined,
  '',
  'garbage',
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE}-${SPAN}`,
])('%j is no parent', (text) => {
  expect(parseTraceParent(text, undefined)).toBeNull()
})

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bodyOf, INFER, REQUEST, setUp } from '../core/protocol/rest/ask.ts'

const RUNS = 5000
const SEED = 20261121

/** Values that mislead number parsers and list parsers, and any text at all. */
const value = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '-1',
    '+5',
    ' 5',
    '5 ',
    '0x10',
    '9e99',
    '1e400',
    '007',
    '4294967296',
    '99999999999',
    '18446744073709551616',
    'NaN',
    'Infinity',
    '1,2',
    '1.5',
    '\u0660',
    'gzip',
    'deflate',
    'br',
    'gzip;q=',
    'gzip;q=9e999',
    ';q=1',
    ',,,',
    '*;q=0',
    'identity;q=0',
  ),
  fc.string({ unit: 'binary-ascii' }),
  fc.string(),
)

it(`no header makes an infer request anything but answered or refused, seed ${SEED}`, async () => {
  const ask = setUp()
  const names = ['inference-header-content-length', 'content-encoding', 'accept-encoding'] as const
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), value, async (name, header) => {
      const reply = await ask(INFER, { body: REQUEST, headers: { [name]: header } })
      expect([200, 400, 501]).toContain(reply.status)
      if (reply.status !== 200) expect(JSON.parse(bodyOf(reply)).error).not.toBe('')
    }),
    { numRuns: RUNS, seed: SEED },
  )
})

import { expect, test } from 'vitest'
import { certificateName } from '../../../core/access/certificate-name.ts'
import { globMatches } from '../../../core/access/glob.ts'
import { parseKeyEntries } from '../../../core/access/key-entry.ts'

const hash = `sha256:${'0'.repeat(64)}`
const good = { id: 'a', hash, scopes: ['infer:*'] }

test.each([
  [{}, 'expected an array'],
  [[1], 'entry 0: expected an object'],
  [[{ ...good, id: '' }], "entry 0: 'id'"],
  [[{ ...good, id: 'a\nb' }], "entry 0: 'id'"],
  [[good, { ...good, id: 'b', key: 'canary' }], "entry 1 ('b'): has a member that is not known"],
  [[{ ...good, hash: 'canary' }], "entry 0 ('a'): 'hash' must be"],
  [[{ ...good, certificate: 'CN=x' }], "must have either 'hash' or 'certificate'"],
  [[{ id: 'a', scopes: [] }], "must have either 'hash' or 'certificate'"],
  [[{ ...good, scopes: ['infer'] }], 'scope 0 must be'],
  [[{ ...good, scopes: ['read:*', 'canary'] }], 'scope 1 must be'],
  [[{ ...good, scopes: 'infer:*' }], "'scopes' must be an array"],
  [[{ ...good, notAfter: 'tomorrow' }], "'notAfter' must be a time"],
  [[{ ...good, notAfter: 12 }], "'notAfter' must be a time"],
  [[{ ...good, rps: -1 }], "'rps' must be a number above 0"],
  [[{ ...good, burst: 1.5 }], "'burst' must be a whole number above 0"],
  [[good, { ...good, id: 'b' }], "entry 1 ('b'): has the same hash as entry 0"],
])('%j is refused: %s', (json, text) => {
  let message = ''
  try {
    parseKeyEntries(json, Date.parse)
  } catch (error) {
    message = (error as Error).message
  }
  expect(message).toContain(text)
  expect(message).not.toContain('canary')
})

test('an entry says no more than it must', () => {
  expect(parseKeyEntries([good], Date.parse)).toMatchObject([
    { id: 'a', hash: '0'.repeat(64), rps: 0, maxInflight: 0, notAfter: Number.POSITIVE_INFINITY },
  ])
})

test.each([
  ['*', '', true],
  ['resnet*', 'resnet50', true],
  ['resnet*', 'resne', false],
  ['*-v1', 'a-v1', true],
  ['a*b*c', 'a-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['ab*bc', 'abc', false],
  ['a', 'a', true],
  ['a.c', 'abc', false],
  ['a**', 'a', true],
])('%s on %j: %s', (pattern, name, wanted) => {
  expect(globMatches(pattern, name)).toBe(wanted)
})

test.each([
  ['O=x\nCN=y', undefined, 'O=x,CN=y'],
  ['CN=y', 'DNS:a, URI:spiffe://b/c', 'spiffe://b/c'],
  ['CN=y', 'DNS:"a, URI:spiffe://forged"', 'CN=y'],
  ['CN=y\n', 'URI:"a, b"', 'CN=y'],
  ['CN=client', 'URI:CN=admin, URI:, URI:a b:c, URI:spiffe://x/y', 'spiffe://x/y'],
  ['CN=client', 'URI:CN=admin', 'CN=client'],
])('the certificate %j with %j is known as %s', (subject, alternatives, wanted) => {
  expect(certificateName(subject, alternatives)).toBe(wanted)
})

import { expect, it } from 'vitest'
import type { ErrorCode } from '../../../../core/errors.ts'
import { grpcCode } from '../../../../core/protocol/grpc/status.ts'

it.each<[ErrorCode, number]>([
  ['UNKNOWN', 2],
  ['INTERNAL', 13],
  ['NOT_FOUND', 5],
  ['INVALID_ARG', 3],
  ['UNAVAILABLE', 14],
  ['UNSUPPORTED', 12],
  ['ALREADY_EXISTS', 6],
  ['CANCELLED', 1],
])('%s has gRPC status %d', (code, status) => {
  expect(grpcCode(code)).toBe(status)
})

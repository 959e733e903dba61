import { BYTES, ProtoReader } from '../../../core/protocol/grpc/proto-reader.ts'

/**
 * The value of the string field `number` of a message; '' where it is absent, the last one where there are several. What
 * cheap calls and authorization read, without the generated messages. Throws ProtoError for bytes that are no message.
 */
export function stringField(message: Uint8Array, number: number): string {
  const reader = new ProtoReader(message)
  let value = ''
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    if (tag === number * 8 + BYTES) value = reader.string()
    else reader.skip(tag)
  }
  return value
}

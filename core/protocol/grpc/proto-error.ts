/** Bytes that are no protobuf message: INTERNAL to the client, as gRPC's own servers say. */
export class ProtoError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ProtoError'
  }
}

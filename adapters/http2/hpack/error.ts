/** A header block that RFC 7541 does not allow: the connection's table is lost, so the connection must end. */
export class HpackError extends Error {
  override readonly name = 'HpackError'
}

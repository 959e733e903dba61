/** A decoded header block. The same object comes again while a connection repeats a block. */
export class HeaderList {
  /** Name, value, name, value, … as sent, pseudo-header fields too; cut when {@link tooLarge}. */
  readonly fields: readonly string[]
  /** Octets of all names and values, and 32 for each field (RFC 9113 §6.5.2), of the fields that were cut too. */
  readonly bytes: number
  /** A limit of octets or fields was passed. The connection's table is right nevertheless. */
  readonly tooLarge: boolean
  /** What the transport made of this list; null at first. */
  head: unknown = null

  constructor(fields: readonly string[], bytes: number, tooLarge: boolean) {
    this.fields = fields
    this.bytes = bytes
    this.tooLarge = tooLarge
  }
}

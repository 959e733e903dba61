/** What one request may ask of the REST protocol. Every bound is checked before anything of that size is allocated. */
export interface ProtocolLimits {
  /** Bytes of a body, also after decompression (`--http-max-input-size`). Default 64 MiB, as Triton. */
  readonly bodyBytes: number
  /** Non-empty chunks of a body (`--http-max-chunks`). Default 65,536, as Triton. */
  readonly bodyChunks: number
  /** Bytes of the JSON part when binary tensors follow it (`--http-max-json-header`). Default 1 MiB. */
  readonly jsonHeaderBytes: number
  /** Containers inside one another. Default 100, as Triton. */
  readonly jsonDepth: number
  /** Keys of one JSON object. Default 1,024. */
  readonly jsonKeys: number
  /** Values in a JSON document that is kept as a tree (everything but tensor data). Default 100,000. */
  readonly jsonValues: number
  /** Inputs of a request, and requested outputs (`--max-tensors`). Default 1,024. */
  readonly tensors: number
  /** Request parameters. Default 256. */
  readonly parameters: number
  /** Dimensions of a tensor. Default 32. */
  readonly dims: number
  /** Bytes (UTF-8) of a request id. Default 1 KiB. */
  readonly idBytes: number
  /** Bytes (UTF-8) of a string parameter. Default 64 KiB. */
  readonly stringParameterBytes: number
  /** Characters of a string sequence id. Default 128, as Triton. */
  readonly sequenceIdLength: number
  /** A compressed body may grow by this factor once it passed `inflateFreeBytes` (`--max-inflate-ratio`). Default 200. */
  readonly inflateRatio: number
  /** Decompressed bytes that no ratio is asked of. Default 1 MiB. */
  readonly inflateFreeBytes: number
  /** Elements of an output that is returned as classes. Default 1,000,000, as Triton. */
  readonly classificationElements: number
}

const KIB = 1024
const MIB = 1024 * KIB

export const DEFAULT_PROTOCOL_LIMITS: ProtocolLimits = {
  bodyBytes: 64 * MIB,
  bodyChunks: 65_536,
  jsonHeaderBytes: MIB,
  jsonDepth: 100,
  jsonKeys: 1024,
  jsonValues: 100_000,
  tensors: 1024,
  parameters: 256,
  dims: 32,
  idBytes: KIB,
  stringParameterBytes: 64 * KIB,
  sequenceIdLength: 128,
  inflateRatio: 200,
  inflateFreeBytes: MIB,
  classificationElements: 1_000_000,
}

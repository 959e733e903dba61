import protobuf from 'protobufjs'

/** The infer messages of grpc_service.proto, for an independent reader and writer. */
const PROTO = `
syntax = "proto3";
message InferParameter {
  oneof choice {
    bool bool_param = 1; int64 int64_param = 2; string string_param = 3; double double_param = 4; uint64 uint64_param = 5;
  }
}
message InferTensorContents {
  repeated bool bool_contents = 1; repeated int32 int_contents = 2; repeated int64 int64_contents = 3;
  repeated uint32 uint_contents = 4; repeated uint64 uint64_contents = 5; repeated float fp32_contents = 6;
  repeated double fp64_contents = 7; repeated bytes bytes_contents = 8;
}
message ModelInferRequest {
  message InferInputTensor {
    string name = 1; string datatype = 2; repeated int64 shape = 3; map<string, InferParameter> parameters = 4;
    InferTensorContents contents = 5;
  }
  message InferRequestedOutputTensor { string name = 1; map<string, InferParameter> parameters = 2; }
  string model_name = 1; string model_version = 2; string id = 3; map<string, InferParameter> parameters = 4;
  repeated InferInputTensor inputs = 5; repeated InferRequestedOutputTensor outputs = 6;
  repeated bytes raw_input_contents = 7;
}
message ModelInferResponse {
  message InferOutputTensor { string name = 1; string datatype = 2; repeated int64 shape = 3; }
  string model_name = 1; string model_version = 2; string id = 3; map<string, InferParameter> parameters = 4;
  repeated InferOutputTensor outputs = 5; repeated bytes raw_output_contents = 6;
}
message ModelStreamInferResponse { string error_message = 1; ModelInferResponse infer_response = 2; }
`

const { root } = protobuf.parse(PROTO, { keepCase: true })
const ContentsType = root.lookupType('InferTensorContents')
const RequestType = root.lookupType('ModelInferRequest')
const ResponseType = root.lookupType('ModelInferResponse')
const StreamType = root.lookupType('ModelStreamInferResponse')

type Plain = Record<string, unknown>

/** A ModelInferRequest from plain values. */
export function request(fields: Plain): Uint8Array {
  return new Uint8Array(RequestType.encode(RequestType.fromObject(fields)).finish())
}

/** The values of an input, alone. */
export function contents(fields: Plain): Uint8Array {
  return new Uint8Array(ContentsType.encode(ContentsType.fromObject(fields)).finish())
}

/** A length-delimited field as it stands in a message. */
export function field(number: number, content: Uint8Array): Uint8Array {
  const writer = protobuf.Writer.create().uint32((number << 3) | 2)
  return new Uint8Array(writer.bytes(content).finish())
}

const PLAIN = { longs: String, bytes: String, defaults: false } as const

/** The fields that are set; 64-bit integers as text, bytes as base64. */
export function readRequest(bytes: Uint8Array): Plain {
  return RequestType.toObject(RequestType.decode(bytes), PLAIN)
}

export function readResponse(bytes: Uint8Array): Plain {
  return ResponseType.toObject(ResponseType.decode(bytes), PLAIN)
}

export function readStreamResponse(bytes: Uint8Array): Plain {
  return StreamType.toObject(StreamType.decode(bytes), PLAIN)
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** The parts of a message in one piece. */
export const whole = ({ parts }: { readonly parts: readonly Uint8Array[] }): Uint8Array =>
  new Uint8Array(Buffer.concat(parts))

/** What `run` throws, as `CODE: message`. */
export function failure(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    const { code, name, message } = error as Error & { code?: string }
    return `${code ?? name}: ${message}`
  }
  return 'no error'
}

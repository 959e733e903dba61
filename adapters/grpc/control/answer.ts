import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { ProtoError } from '../../../core/protocol/grpc/proto-error.ts'
import type { CallContext } from '../types.ts'
import type { Answer, ControlContext } from './types.ts'

/** Triton's text. */
const UNREADABLE = 'Unable to parse request'

/** A method as it is written with messages. */
export interface AnswerSpec<I extends DescMessage, O extends DescMessage> {
  readonly input: I
  readonly output: O
  /** The model that a message names; to be given wherever the method concerns one. */
  readonly model?: (input: MessageShape<I>) => string
  readonly run: (
    input: MessageShape<I>,
    context: ControlContext,
    call: CallContext,
  ) => MessageInitShape<O> | Promise<MessageInitShape<O>>
}

/** `spec` on bytes. What is unknown in a message is ignored; what is no message is INTERNAL, as for gRPC's own servers. */
export function answer<I extends DescMessage, O extends DescMessage>(
  spec: AnswerSpec<I, O>,
): Answer {
  return async (message, model, context, call) => {
    const input = parse(spec.input, message)
    // Two readers of one message must not disagree about what was authorized.
    if (spec.model !== undefined && spec.model(input) !== model) throw new ProtoError(UNREADABLE)
    const output = await spec.run(input, context, call)
    return toBinary(spec.output, create(spec.output, output))
  }
}

function parse<I extends DescMessage>(schema: I, message: Uint8Array): MessageShape<I> {
  try {
    return fromBinary(schema, message, { readUnknownFields: false })
  } catch {
    throw new ProtoError(UNREADABLE)
  }
}

import type { Datatype } from '../../tensor.ts'
import { BytesSink } from './bytes-sink.ts'
import { FloatSink } from './float-sink.ts'
import { BoolSink, IntSink, LongSink } from './int-sink.ts'
import { jsonSyntaxError } from './json-error.ts'
import { depthError, type JsonReader } from './json-reader.ts'
import type { ScalarSink } from './scalar-sink.ts'

/** Nested arrays of one tensor, as Triton counts them: a scalar may sit in at most 99. */
export const MAX_DATA_NESTING = 99

/**
 * Reads the `data` array at the cursor into `sink`. A syntax error is thrown; what is wrong with an element is left in
 * `sink.error`, and the rest of the array is still checked.
 */
export function readTensorData(reader: JsonReader, sink: ScalarSink): void {
  let depth = 1
  let mayClose = true
  let expectValue = true
  reader.pos++
  for (;;) {
    const c = reader.peek()
    if (expectValue) {
      if (c === 0x5b) {
        if (++depth > MAX_DATA_NESTING) throw depthError(MAX_DATA_NESTING + 1)
        reader.pos++
        mayClose = true
      } else if (c === 0x5d && mayClose) {
        reader.pos++
        if (--depth === 0) return
        expectValue = false
      } else {
        expectValue = sink.run(reader)
        mayClose = false
      }
    } else {
      if (c !== 0x2c && c !== 0x5d) throw jsonSyntaxError('arrayEnd', reader.pos)
      reader.pos++
      expectValue = c === 0x2c
      mayClose = false
      if (!expectValue && --depth === 0) return
    }
  }
}

/** `count` elements of `datatype`, never more room than the text that is left could fill. */
export function scalarSink(datatype: Datatype, count: number, textLeft: number): ScalarSink {
  const room = Math.min(count, Math.floor(textLeft / 2) + 1)
  switch (datatype) {
    case 'BYTES':
      return new BytesSink(textLeft)
    case 'FP32':
      return new FloatSink(new Float32Array(room), count)
    case 'FP64':
      return new FloatSink(new Float64Array(room), count)
    case 'INT8':
      return new IntSink(new Int8Array(room), count, true)
    case 'INT16':
      return new IntSink(new Int16Array(room), count, true)
    case 'INT32':
      return new IntSink(new Int32Array(room), count, true)
    case 'UINT8':
      return new IntSink(new Uint8Array(room), count, false)
    case 'UINT16':
      return new IntSink(new Uint16Array(room), count, false)
    case 'UINT32':
      return new IntSink(new Uint32Array(room), count, false)
    case 'INT64':
      return new LongSink(new Uint32Array(room * 2), count, true)
    case 'UINT64':
      return new LongSink(new Uint32Array(room * 2), count, false)
    default:
      return new BoolSink(new Uint8Array(room), count)
  }
}

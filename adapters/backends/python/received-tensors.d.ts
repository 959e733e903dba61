import { type Tensor } from '../../../core/tensor.ts';
import type { ReceivedMemory } from './received-memory.ts';
/** `[name, datatype, shape, at, length]`, checked but for where its bytes are. */
export type WireTensor = readonly [string, Tensor['datatype'], readonly number[], number, number];
/** Reads the tensors of one message: all of them are checked before the bytes of any are touched. */
export declare class ReceivedTensors {
    #private;
    /** Gives their block back; null = nothing is to be given back. */
    release: (() => void) | null;
    /** Throws for what is no list of tensors. */
    check(list: unknown): readonly WireTensor[];
    /** To be called once, after all were checked. Throws where they are not in `block`. */
    open(memory: ReceivedMemory, block: unknown): void;
    /** Views on the block. Throws for BYTES that are none. */
    tensors(list: readonly WireTensor[]): Tensor[];
}

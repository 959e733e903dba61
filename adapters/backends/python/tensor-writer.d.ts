import type { Tensor } from '../../../core/tensor.ts';
import type { SentMemory } from './sent-memory.ts';
/** Bytes that `tensors` take in a block. */
export declare function blockBytes(tensors: readonly Tensor[]): number;
/** Copies tensors into one block, one after the other, and says where they are. */
export declare class TensorWriter {
    #private;
    /** -1 = there is nothing to be copied, and so no block. */
    readonly block: number;
    /** `bytes` = {@link blockBytes} of all that is written. Throws UNAVAILABLE where there is no room. */
    constructor(memory: SentMemory, bytes: number);
    /** JSON of what was written. */
    write(tensors: readonly Tensor[]): string;
    /** What ends a message with these tensors. */
    get tail(): string;
}

import type { Batch, BatchDone, DecoupledAnswers, ExecutionMarks } from '../../../core/backend/types.ts';
import { ServerError } from '../../../core/errors.ts';
import type { InferRequest } from '../../../core/infer.ts';
import type { Message } from './messages.ts';
import type { ReceivedMemory } from './received-memory.ts';
import type { SentMemory } from './sent-memory.ts';
export interface ExecutionOptions {
    readonly run: number;
    readonly batch: Batch;
    readonly marks: ExecutionMarks;
    /** null where the model is not decoupled. */
    readonly answers: DecoupledAnswers | null;
    readonly now: () => number;
    /** Called once: the instance is free. */
    readonly done: BatchDone;
    /** May send one more response. */
    readonly credit: (run: number, index: number) => void;
}
/** One batch on its way through a worker, until the last of its answers: that of a decoupled model may come after its end. */
export declare class Execution {
    #private;
    readonly run: number;
    /** When it was sent, `Clock.now()`; 0 = it was not. */
    sentNs: number;
    constructor(options: ExecutionOptions);
    /** Whether nothing of it is to come any more. */
    get over(): boolean;
    /** JSON of the message that has the worker run it. Throws UNAVAILABLE where its inputs find no room. */
    message(memory: SentMemory): string;
    /** `execute` returned. Throws for a message that cannot be read. */
    ran(message: Message, memory: ReceivedMemory): void;
    /** One response. Throws for a message that cannot be read. */
    sent(message: Message, memory: ReceivedMemory): void;
    /** Fails whatever has no last answer. Idempotent. */
    end(error: ServerError): void;
    /** -1 = none of this batch. */
    indexOf(request: InferRequest): number;
    requestAt(index: number): InferRequest | undefined;
    get requests(): readonly InferRequest[];
}

import { ServerError } from '../../../core/errors.ts';
import type { InferRequest, InferResponse } from '../../../core/infer.ts';
import type { PeerCall, PeerControl } from '../hosted/peer-calls.ts';
import type { Message } from './messages.ts';
import type { ReceivedMemory } from './received-memory.ts';
import type { WorkerProcess } from './worker-process.ts';
/** A call that a model makes. Throws for what is none. */
export declare function readCall(message: Message, memory: ReceivedMemory, callerOf: (run: unknown, index: unknown) => InferRequest | undefined): PeerCall;
/** What a model wants done to another, or to know of it. Throws for what is nothing of that. */
export declare function readControl(message: Message): PeerControl;
/** Tells a model what another one answered it, and gives the answer's memory back. */
export declare function sendAnswer(worker: WorkerProcess, call: number, answer: InferResponse | ServerError | null, final: boolean): void;
/** Tells a model what came of its load, unload or question. */
export declare function sendControlled(worker: WorkerProcess, call: number, result: boolean | ServerError): void;
export declare function errorJson({ code, message }: ServerError): string;
export declare function numberOf(value: unknown, what: string): number;
export declare function textOf(value: unknown, what: string): string;

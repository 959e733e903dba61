import type { Log } from '../../../core/platform.ts';
import type { Message } from './messages.ts';
/** What a model has logged, with where in its code. */
export declare function writeLog(log: Log, { level, message, file, line }: Message): void;

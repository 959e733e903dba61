import type { Backend } from '../../../core/backend/types.ts';
import type { Clock } from '../../../core/platform.ts';
import { CustomMetrics } from './custom-metrics.ts';
export interface PythonBackendOptions {
    readonly clock: Clock;
    /** `worker/main.py`, as the target ships it. */
    readonly worker: string;
    /** Environment variables of the server. */
    readonly environment: Readonly<Record<string, string | undefined>>;
    /** What models call it. Default `python`. */
    readonly name?: string;
    /** One module for all models, in place of theirs: makes it a backend that is written in Python. */
    readonly modelFile?: string;
    /** Default `model.py`. */
    readonly defaultModelFilename?: string;
    /** Where the metrics of models are kept. Default: where nobody sees them. */
    readonly metrics?: CustomMetrics;
    /** GPUs of this machine; models ask for them as they like. Default none. */
    readonly gpus?: readonly number[];
    /** Flags of the Python backend, for backends written in Python: their own come first. */
    readonly settings?: ReadonlyMap<string, string>;
}
/** The `python` backend: models that are modules as Triton's Python backend has them, each instance in a process of its own. */
export declare function pythonBackend(options: PythonBackendOptions): Backend;

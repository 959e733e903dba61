import type { ModelSource } from '../../../core/backend/types.ts';
/** A model's code on this machine's disk. */
export interface ModelFiles {
    /** Of the module. */
    readonly path: string;
    /** Of the model, with its versions. */
    readonly modelFolder: string;
    /** Of the version, where the module is not in it. */
    readonly folder?: string;
}
/**
 * Finds the model's module. Code is taken from a repository on this machine only, never from a load request. `runtime` is the
 * module that all models of a backend share.
 */
export declare function findModelFiles(source: ModelSource, fileName: string, runtime: string | undefined, signal?: AbortSignal): Promise<ModelFiles>;

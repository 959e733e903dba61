import type { Parameters } from '../../../core/infer.ts'
/** Parameters as they travel: integers as text in an array, so that they stay apart from doubles and keep all digits. */
export declare function parametersJson(parameters: Parameters): string
/** undefined = there are none. Throws for what are no parameters. */
export declare function readParameters(value: unknown): Parameters | undefined

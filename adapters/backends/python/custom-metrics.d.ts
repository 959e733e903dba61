import type { Family } from '../../../core/metrics/families.ts'
import type { FamilySamples } from '../../../core/metrics/model-series.ts'
/** Families and series that one instance may have, and what their texts and lists may be long. */
export declare const MAX_FAMILIES = 256
export declare const MAX_SERIES = 4096
export declare const MAX_LABELS = 32
export declare const MAX_TEXT = 1024
export declare const MAX_BUCKETS = 256
export type CustomKind = 'counter' | 'gauge' | 'histogram'
/** One series: what a model counts. */
export interface CustomSeries {
  readonly labels: Readonly<Record<string, string>>
  value: number
  /** Of a histogram: upper bounds, and how many observations lie below each and above the one before. */
  readonly bounds: readonly number[]
  readonly counts: number[]
  users: number
}
export interface CustomFamily {
  readonly family: Family & {
    readonly type: CustomKind
  }
  readonly series: Map<string, CustomSeries>
  users: number
}
/** Metrics that models make, of all instances together: those of the same name and labels are one. */
export declare class CustomMetrics {
  #private
  families(): readonly FamilySamples[]
  /** Throws INVALID_ARG for what is no family, or another one than there is. */
  openFamily(name: unknown, help: unknown, type: unknown): CustomFamily
  closeFamily(family: CustomFamily): void
  /** Throws INVALID_ARG for what are no labels or bounds. */
  openSeries(family: CustomFamily, labels: unknown, buckets: unknown): CustomSeries
  closeSeries(family: CustomFamily, series: CustomSeries): void
}
/** Changes a series as its kind allows. Throws with Triton's texts. */
export declare function changeSeries(
  series: CustomSeries,
  kind: CustomKind,
  action: 'increment' | 'set' | 'observe',
  value: unknown,
): void
/** Throws with Triton's text for a histogram. */
export declare function readSeries(series: CustomSeries, kind: CustomKind): number

import { expect, test } from 'vitest'
import { firstResponseBuckets } from '../../../core/model/first-response-buckets.ts'

const FAMILY = 'nv_inference_first_response_histogram_ms'

test("a model's own buckets count, and only those of the family", () => {
  const control = (family: string, buckets: number[]) => ({
    metric_identifier: { family },
    histogram_options: { buckets },
  })
  expect(firstResponseBuckets({})).toEqual([100, 500, 2000, 5000])
  const metric_control = [control('other', [1]), control(FAMILY, [10, 20.5])]
  expect(firstResponseBuckets({ model_metrics: { metric_control } })).toEqual([10, 20.5])
})

/** @import { Execute, ModelRequest, ModelResponse } from 'nereid-server/model' */

const NAMES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']

/** @type {Execute} */
export const execute = (requests) => requests.map(answer)

/** @param {ModelRequest} request @returns {ModelResponse} */
function answer(request) {
  const { data } = request.input('scores', 'FP32')
  const labels = []
  const scores = []
  for (let row = 0; row < request.batchSize; row++) {
    const of = data.subarray(row * NAMES.length, (row + 1) * NAMES.length)
    const best = Math.max(...of)
    labels.push(NAMES[of.indexOf(best)] ?? '')
    scores.push(best)
  }
  const shape = [request.batchSize, 1]
  return { outputs: { label: { shape, data: labels }, score: { shape, data: scores } } }
}

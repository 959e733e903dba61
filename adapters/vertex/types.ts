/** What Vertex AI's front answers, as its environment says. */
export interface VertexSettings {
  /** `AIP_PREDICT_ROUTE`, as it is sent. */
  readonly predictRoute: string
  /** `AIP_HEALTH_ROUTE`. */
  readonly healthRoute: string
  /** The model of predictions that name none. */
  readonly defaultModel: string
}

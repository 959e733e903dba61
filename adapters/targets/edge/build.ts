/** How the bundle of this target is made; `infra/build.ts` reads it. */
export const build = {
  // The server whole, in one folder: a device is installed once and has no npm. Only what has native parts stays outside.
  external: ['koffi', 'onnxruntime-node', 'esbuild'],
  bundles: [
    {
      format: 'cjs',
      entries: { main: '../server/main.ts' },
      // The launcher loads the server at run time, from beside itself.
      leave: { './server.ts': './server.mjs' },
      shebang: true,
    },
    {
      format: 'esm',
      entries: {
        server: '../server/server.ts',
        'onnx-node-worker': '../../backends/onnx-node-worker.ts',
        'fil-worker': '../../backends/fil-worker.ts',
        'typescript-worker': '../../backends/typescript-worker.ts',
      },
      leave: {},
      shebang: false,
    },
  ],
  /** Bytes of all scripts together, without source maps. */
  maxBytes: 3_900_000,
} as const

/** How the bundle of this target is made; `infra/build.ts` reads it, and `infra/lambda/package.ts` zips it. */
export const build = {
  // Lambda finds packages of a layer for `require` only, so nothing is left to `import` that a request may need.
  external: [
    '@koromix/*',
    'onnxruntime-node',
    '@redis/client',
    // Node 22 reads TypeScript itself.
    'esbuild',
  ],
  bundles: [
    {
      format: 'esm',
      entries: {
        // `index.handler` and `index.stream` are what a function names.
        index: 'main.ts',
        // What instances of models in TypeScript run in.
        'typescript-worker': '../../backends/typescript-worker.ts',
      },
      leave: {},
      shebang: false,
      // AWS' SDK in CommonJS has no names for who imports it.
      mainFields: ['module', 'main'],
    },
  ],
  /** Bytes of all scripts together, without source maps: AWS' SDK for S3 is the larger part, in chunks of its own. */
  maxBytes: 1_550_000,
} as const

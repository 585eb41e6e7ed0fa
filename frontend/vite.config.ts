import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const outDir = join(import.meta.dirname, '../api/dashboard');

/** The API's /docs page reads these two files from the build, since it may load nothing from another host. */
function swaggerUi(): Plugin {
  return {
    name: 'swagger-ui',
    apply: 'build',
    closeBundle() {
      const from = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
      const to = join(outDir, 'swagger-ui');
      mkdirSync(to, { recursive: true });
      for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css']) copyFileSync(join(from, file), join(to, file));
    },
  };
}

export default defineConfig({
  plugins: [svelte(), swaggerUi()],
  build: {
    outDir,
    emptyOutDir: true,
    // A data: URL would save one request and cost a rule in the content security policy.
    assetsInlineLimit: 0,
  },
  experimental: {
    // One build for every COLT_ROOT_PATH: scripts and styles find each other; the server writes the path into the page.
    renderBuiltUrl: (filename, { hostType }) => (hostType === 'html' ? `/${filename}` : { relative: true }),
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8000', '/docs': 'http://127.0.0.1:8000', '/guide': 'http://127.0.0.1:8000' } },
  test: { include: ['src/**/*.test.ts'] },
});

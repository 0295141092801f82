import { defineConfig } from "vite";

const BASE = /[\\/]src[\\/](api|ui|view)[\\/](?!markdown-elements)|node_modules[\\/]@?preact/;

export default defineConfig({
  base: "/",
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // The libraries of figures are loaded when one is shown.
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      // The page of the dashboard, and the one in the frame of a figure.
      input: ["index.html", "assets/figure.html"],
      output: {
        // Constants stay `const`: the minifier writes their values where they are used.
        topLevelVar: false,
        // One script of what the page and all that is loaded later share, in place of many. The
        // frame of a figure, which may not use the storage that it reads, loads the other.
        codeSplitting: {
          groups: [
            { name: "loader", test: /preload-helper/, priority: 2 },
            { name: "base", test: BASE, priority: 1 },
          ],
        },
      },
    },
  },
  // `npm run dev` uses the API of a running `trackai serve`.
  server: { proxy: { "/api": "http://localhost:8000" } },
});

// Builds the page into the Python package. Files keep plain names, so that a commit of a build can be read and Python's tests
// can import single modules; the server has browsers ask again each time, so no hash is needed in a name.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const WEB = fileURLToPath(new URL(".", import.meta.url));
const OUT = process.env.PAGE_OUT ?? join(WEB, "../src/personaplex/serve/static");
const SHIPPED = ["react", "react-dom", "scheduler", "@fontsource-variable/instrument-sans"];

/** Every file below a folder, sorted by its path with slashes. */
function files(folder, skip = []) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .filter((path) => !skip.some((name) => path === name || path.startsWith(`${name}/`)))
    .sort((a, b) => (a < b ? -1 : 1));
}

const sha = (data) => createHash("sha256").update(data).digest("hex");

/** Writes what the build was made of and what it made (tests/serve/test_page_build.py compares both), and whose work is in it. */
const stamp = {
  name: "stamp",
  generateBundle() {
    const licences = SHIPPED.map((name) => {
      const folder = join(WEB, "node_modules", name);
      const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      return `${name} ${version} (${license})\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}\n`;
    });
    this.emitFile({ type: "asset", fileName: "licences.txt", source: licences.join(`\n${"-".repeat(80)}\n\n`) });
  },
  closeBundle() {
    const hashes = (folder, skip) =>
      Object.fromEntries(files(folder, skip).map((path) => [path, sha(readFileSync(join(folder, path)))]));
    const build = { sources: hashes(WEB, ["node_modules"]), built: hashes(OUT, ["build.json"]) };
    writeFileSync(join(OUT, "build.json"), `${JSON.stringify(build, null, 1)}\n`);
  },
};

const source = (name) => join(WEB, "src", name);

export default defineConfig({
  base: "./",
  plugins: [stamp],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0, // the content-security policy allows no data: addresses
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      input: {
        index: join(WEB, "index.html"),
        worklet: source("audio/worklet.ts"),
        jitter: source("audio/jitter.ts"),
        resample: source("audio/resample.ts"),
        turns: source("talk/turns.ts"),
        echo: source("audio/echo.ts"),
      },
      preserveEntrySignatures: "strict",
      output: { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" },
    },
  },
});

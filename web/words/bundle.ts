// Writes web/static/words.LANGUAGE.js: of the catalogue what the pages' scripts say. Run by .ci/generate, from the module's root.

import { readFileSync, writeFileSync } from "node:fs";
import { bundleOf, type Catalogue } from "./catalogue.ts";
import { scriptsOf } from "./source.ts";

const language = "ja";
const catalogue = JSON.parse(readFileSync(`internal/words/${language}.json`, "utf8")) as Catalogue;
writeFileSync(`web/static/words.${language}.js`, bundleOf(catalogue, scriptsOf(".").keys.keys()));

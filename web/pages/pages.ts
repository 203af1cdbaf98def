// The script of every page. Pages work without it; it updates them and adds keys.
import { bringMaps } from "./bring.ts";
import { keepTime } from "./clock.ts";
import { watchJobs } from "./jobs.ts";
import { closeMenus, confirmForms, pressKeys } from "./keys.ts";
import { drawMaps, mapOpacity, mapStretch } from "./maps.ts";
import { contactSheet } from "./queue.ts";
import { sendImages } from "./send.ts";
import { themeSwitch } from "./theme.ts";
import { explainTerms } from "./tip.ts";
import { sendModels } from "./upload.ts";
import { outlineCrop } from "./whole.ts";

drawMaps(document);
mapOpacity();
mapStretch();
themeSwitch();
keepTime();
watchJobs();
pressKeys();
confirmForms();
closeMenus();
contactSheet();
outlineCrop();
explainTerms();
sendModels();
sendImages();
bringMaps();

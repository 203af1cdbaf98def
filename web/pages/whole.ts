// Outlines on the whole picture what the model sees of it: the centre crop after it was resized.
export function outlineCrop(): void {
  for (const stage of document.querySelectorAll<HTMLElement>("[data-crop]")) {
    const image = stage.querySelector("img");
    const drawing = stage.querySelector("svg");
    const path = stage.querySelector("path");
    if (!image || !drawing || !path) continue;
    const draw = () => {
      const [fit = "", ...numbers] = (stage.dataset["crop"] ?? "").split(",");
      const [toHeight = 0, toWidth = 0, height = 0, width = 0, storedWidth = 0, storedHeight = 0] = numbers.map(Number);
      if (!height || !width || !image.naturalWidth) return;
      // The rendering may be smaller than the file, and turned by EXIF: its longer side tells the scale.
      const scale = Math.max(storedWidth, storedHeight) / Math.max(image.naturalWidth, image.naturalHeight);
      const w = image.naturalWidth * scale;
      const h = image.naturalHeight * scale;
      // Picture pixels per pixel of the resized one, along each axis.
      const side = fit === "shorter" ? Math.min(w, h) / toWidth : fit === "longer" ? Math.max(w, h) / toWidth : 1;
      const shrink = fit === "both" ? { x: w / toWidth, y: h / toHeight } : { x: side, y: side };
      const share = { w: Math.min(100, (100 * width * shrink.x) / w), h: Math.min(100, (100 * height * shrink.y) / h) };
      const x = (100 - share.w) / 2;
      const y = (100 - share.h) / 2;
      path.setAttribute("d", `M0 0h100v100h-100zM${x} ${y}v${share.h}h${share.w}v${-share.h}z`);
      drawing.removeAttribute("hidden");
    };
    if (image.complete) draw();
    image.addEventListener("load", draw);
  }
}

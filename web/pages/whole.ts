// Outlines on the whole picture what the model sees of it: the centre crop after the shorter side was resized.
export function outlineCrop(): void {
  for (const stage of document.querySelectorAll<HTMLElement>("[data-crop]")) {
    const image = stage.querySelector("img");
    const drawing = stage.querySelector("svg");
    const path = stage.querySelector("path");
    if (!image || !drawing || !path) continue;
    const draw = () => {
      const [resize = 0, height = 0, width = 0, storedWidth = 0, storedHeight = 0] = (stage.dataset["crop"] ?? "").split(",").map(Number);
      if (!height || !width || !image.naturalWidth) return;
      // The rendering may be smaller than the file, and turned by EXIF: its longer side tells the scale.
      const scale = Math.max(storedWidth, storedHeight) / Math.max(image.naturalWidth, image.naturalHeight);
      const w = image.naturalWidth * scale;
      const h = image.naturalHeight * scale;
      const shrink = resize > 0 ? Math.min(w, h) / resize : 1; // picture pixels per pixel of the resized one
      const share = { w: Math.min(100, (100 * width * shrink) / w), h: Math.min(100, (100 * height * shrink) / h) };
      const x = (100 - share.w) / 2;
      const y = (100 - share.h) / 2;
      path.setAttribute("d", `M0 0h100v100h-100zM${x} ${y}v${share.h}h${share.w}v${-share.h}z`);
      drawing.removeAttribute("hidden");
    };
    if (image.complete) draw();
    image.addEventListener("load", draw);
  }
}

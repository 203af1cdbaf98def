"""Makes pictures/ and refused/: what a JPEG, WebP, BMP, TIFF or PNG may be beside what Go's encoders write.

Beside each of pictures/NAME stands NAME.png, what PIL's convert("RGB") makes of it. refused/ has what is not read.
Needs Pillow, numpy and libjpeg-turbo's cjpeg of version 3 or newer (CJPEG names it). The committed files: Pillow 13.0, libjpeg-turbo 3.2.
"""

import io
import os
import pathlib
import struct
import subprocess

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).parent
CJPEG = os.environ.get("CJPEG", "cjpeg")
W, H = 29, 21


def picture(w=W, h=H, seed=1):
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([x * 255 / (w - 1), y * 255 / (h - 1), 127 + 120 * np.sin(x / 3.7 + y / 5.1)], -1)
    return (a + np.random.default_rng(seed).normal(0, 6, a.shape)).clip(0, 255).astype(np.uint8)


RGB = Image.fromarray(picture())
ALPHA = Image.fromarray((np.mgrid[0:H, 0:W].sum(0) * 5 % 256).astype(np.uint8))
RGBA = RGB.copy()
RGBA.putalpha(ALPHA)


def write(name, data, folder="pictures"):
    (HERE / folder / name).write_bytes(data)
    if folder == "pictures":
        Image.open(HERE / folder / name).convert("RGB").save(HERE / folder / (name + ".png"), optimize=True)


def saved(img, kind, **options):
    b = io.BytesIO()
    img.save(b, kind, **options)
    return b.getvalue()


def cjpeg(*options, scans=None):
    if scans:
        (HERE / "scans").write_text(scans)
        options += ("-scans", str(HERE / "scans"))
    out = subprocess.run([CJPEG, "-quality", "60", *options], input=saved(RGB, "PPM"), capture_output=True, check=True).stdout
    if scans:
        (HERE / "scans").unlink()
    return out


def segments(data):
    """Offsets of a JPEG's segments up to its first scan, by marker."""
    at, found = 2, {}
    while data[at + 1] != 0xDA:
        found[data[at + 1]] = at
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    found[0xDA] = at
    return found


def without(data, marker):
    at = segments(data)[marker]
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def patched(data, at, *values):
    return data[:at] + bytes(values) + data[at + len(values) :]


def apart(planes, factors, adobe):
    """A JPEG of planes in scans of their own: what a scan of one component holds is a grey JPEG's of its size."""
    greys = [saved(Image.fromarray(p), "JPEG", quality=60) for p in planes]
    at = segments(greys[0])
    tables = b"".join(greys[0][at[m] : at[m] + 2 + int.from_bytes(greys[0][at[m] + 2 : at[m] + 4], "big")] for m in (0xDB,))
    first, scan = greys[0], at[0xDA]
    position = 2
    while position < scan:  # all the tables of codes
        n = 2 + int.from_bytes(first[position + 2 : position + 4], "big")
        tables += first[position : position + n] if first[position + 1] == 0xC4 else b""
        position += n
    h, w = planes[0].shape
    count = len(planes)
    out = b"\xff\xd8\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([adobe]) + tables
    out += b"\xff\xc0" + struct.pack(">HBHHB", 8 + 3 * count, 8, h, w, count) + b"".join(bytes([i + 1, f, 0]) for i, f in enumerate(factors))
    for i, grey in enumerate(greys):
        begin = segments(grey)[0xDA]
        out += b"\xff\xda\0\x08\x01" + bytes([i + 1, 0, 0, 63, 0]) + grey[begin + 10 : -2]
    return out + b"\xff\xd9"


# JPEG: components in any proportion.
for name, sample in {
    "chroma-differs": "2x2,1x1,1x2", "chroma-differs-more": "2x2,2x1,1x2", "chroma-finer": "1x1,2x2,2x2", "one-chroma-finer": "2x1,1x2,1x1",
    "thirds-across": "3x1,1x1,1x1", "thirds-down": "1x3,1x1,1x1", "fourths-down": "1x4,1x1,1x1", "fourths-both": "2x4,1x1,1x1",
}.items():
    write(f"{name}.jpg", cjpeg("-sample", sample))
write("chroma-differs-progressive.jpg", cjpeg("-progressive", "-sample", "2x2,2x1,1x2"))
write("chroma-differs-restarts.jpg", cjpeg("-restart", "1B", "-sample", "2x2,1x2,2x1"))
write("chroma-differs-apart.jpg", cjpeg("-sample", "2x2,2x1,1x2", scans="0;\n1;\n2;\n"))
write("rgb-differs.jpg", cjpeg("-rgb", "-sample", "1x1,2x2,2x1"))

# JPEG: arithmetic and lossless coding.
write("arithmetic.jpg", cjpeg("-arithmetic", "-sample", "2x2"))
write("arithmetic-progressive.jpg", cjpeg("-arithmetic", "-progressive"))
write("arithmetic-restarts.jpg", cjpeg("-arithmetic", "-restart", "1B", "-sample", "2x1"))
write("arithmetic-grey.jpg", cjpeg("-arithmetic", "-grayscale"))
write("lossless.jpg", cjpeg("-lossless", "4"))
write("lossless-grey-restarts.jpg", cjpeg("-lossless", "7,1", "-restart", "3", "-grayscale"))
write("12-bits.jpg", cjpeg("-precision", "12"), "refused")

# JPEG: RGB, CMYK and YCCK that Go's decoder reads by repeating samples.
full, other = picture(), picture(seed=2)
half = lambda p: np.asarray(Image.fromarray(p).resize(((W + 1) // 2, (H + 1) // 2)))
planes = [full[..., 0], half(full[..., 1]), half(full[..., 2])]
write("rgb-halves.jpg", apart(planes, [0x22, 0x11, 0x11], 0))
for name, adobe in {"cmyk-halves-and-black": 0, "ycck-halves-and-black": 2}.items():
    write(f"{name}.jpg", apart([*planes, other[..., 2] // 2], [0x22, 0x11, 0x11, 0x22], adobe))

# JPEG: four components, and identifiers that repeat.
ink = Image.fromarray(np.dstack([picture(), picture(seed=2)[..., 2] // 2]), "CMYK")
for name, options in {"cmyk": {}, "cmyk-progressive": {"progressive": True}, "cmyk-halves": {"subsampling": 2}}.items():
    marked = saved(ink, "JPEG", quality=60, **options)
    write(f"{name}-unmarked.jpg", without(marked, 0xEE))
write("cmyk-halves.jpg", marked)
at = segments(marked)[0xEE]
write("ycck-halves.jpg", patched(marked, at + 15, 2))
same = cjpeg("-sample", "2x2")
at = segments(same)
for i in range(3):
    same = patched(same, at[0xC0] + 10 + 3 * i, 7)
    same = patched(same, at[0xDA] + 5 + 2 * i, 7)
write("one-identifier.jpg", same)
write("hierarchical.jpg", patched(same, at[0xC0] + 1, 0xC5), "refused")
baseline = cjpeg("-sample", "2x2")
at = baseline.index(b"\xff\xc4") + 4
assert baseline[at] == 0
write("empty-table.jpg", baseline[: at - 4] + b"\xff\xc4\0\x13\x11" + bytes(16) + baseline[at - 4 :])
scan = segments(baseline)[0xDA]
write("third-table.jpg", patched(patched(baseline, at, 2), scan + 6, 0x20))


# WebP: animations.
def chunk(name, body):
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def u24(n):
    return struct.pack("<I", n)[:3]


def frame(still, x, y, w, h):
    """An ANMF chunk of a still's chunks, without its header and metadata."""
    body, at = b"", 12
    while at < len(still):
        size = 8 + int.from_bytes(still[at + 4 : at + 8], "little")
        size += size & 1
        if still[at : at + 4] in (b"ALPH", b"VP8 ", b"VP8L"):
            body += still[at : at + size]
        at += size
    return chunk(b"ANMF", u24(x // 2) + u24(y // 2) + u24(w - 1) + u24(h - 1) + u24(100) + b"\0" + body)


def animation(w, h, frames, background=b"\x10\x20\xf0\xff"):
    body = chunk(b"VP8X", b"\x12\0\0\0" + u24(w - 1) + u24(h - 1)) + chunk(b"ANIM", background + b"\0\0") + b"".join(frames)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


dark = Image.new("RGB", (W, H), (1, 2, 3))
write("animated.webp", saved(RGB, "WEBP", save_all=True, append_images=[dark], duration=50, quality=70))
write("animated-lossless.webp", saved(RGB, "WEBP", save_all=True, append_images=[dark], duration=50, lossless=True))
for name, img, options in [("lossy", RGB, {"quality": 70}), ("lossless", RGB, {"lossless": True}),
                           ("alpha", RGBA, {"quality": 70}), ("lossless-alpha", RGBA, {"lossless": True, "exact": True})]:
    one = frame(saved(img, "WEBP", **options), 6, 4, W, H)
    write(f"animated-inside-{name}.webp", animation(W + 10, H + 7, [one, frame(saved(dark, "WEBP"), 0, 0, W, H)]))
write("animated.png", saved(RGB, "PNG", save_all=True, append_images=[dark], duration=50))

# BMP.
for name, img in {"1": RGB.convert("1"), "8": RGB.quantize(200), "8-grey": RGB.convert("L"), "24": RGB, "32": RGBA}.items():
    write(f"{name}-bits.bmp", saved(img, "BMP"))
sixteen = RGB.quantize(16)
rows = np.asarray(sixteen)[::-1]
packed = b"".join(bytes((a << 4 | b) for a, b in zip(r[0::2], list(r[1::2]) + [0])).ljust((W + 7) // 8 * 4, b"\0") for r in rows)
palette = b"".join(bytes(c[::-1]) + b"\0" for c in np.reshape(sixteen.getpalette()[:48], (16, 3)).astype(np.uint8).tolist() for c in [bytes(c)])
bmp = struct.pack("<IiiHHIIiiII", 40, W, H, 1, 4, 0, len(packed), 2835, 2835, 16, 0)
write("4-bits.bmp", b"BM" + struct.pack("<IHHI", 54 + 64 + len(packed), 0, 0, 54 + 64) + bmp + palette + packed)
plain = saved(RGB, "BMP")
full = saved(RGBA, "BMP")
fields = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0)
write("32-bits-fields.bmp", patched(patched(full[:54] + fields[:12] + full[54:], 10, 66), 30, 3))
v4 = patched(patched(full[:54] + fields + bytes(52) + full[54:], 10, 122), 14, 108)
write("32-bits-fields-v4.bmp", patched(v4, 30, 3))
write("24-bits-gap.bmp", patched(plain[:54] + b"gap!" + plain[54:], 10, 58))
write("runs.bmp", patched(saved(RGB.quantize(200), "BMP"), 30, 1), "refused")
write("16-bits.bmp", patched(plain, 28, 16), "refused")
write("os2.bmp", patched(plain, 14, 12), "refused")

# TIFF.
for name, img, options in [
    ("plain", RGB, {}), ("lzw", RGB, {"compression": "tiff_lzw"}), ("deflate", RGB, {"compression": "tiff_adobe_deflate"}),
    ("lzw-predicted", RGB, {"compression": "tiff_lzw", "tiffinfo": {317: 2}}), ("packbits", RGB, {"compression": "packbits"}),
    ("grey", RGB.convert("L"), {}), ("palette", RGB.quantize(200), {}), ("1-bit", RGB.convert("1"), {}),
    ("fax", RGB.convert("1"), {"compression": "group4"}), ("alpha", RGBA, {"compression": "tiff_lzw"}),
    ("turned", RGB, {"tiffinfo": {274: 6}}), ("mirrored", RGB.convert("L"), {"tiffinfo": {274: 2}}),
    ("pages", RGB, {"save_all": True, "append_images": [dark], "compression": "tiff_lzw"}),
]:
    write(f"{name}.tif", saved(img, "TIFF", **options))


def tiff(bits, blocks, *tags):
    """A TIFF of RGB whose blocks (strips or tiles) have tags of their own: (tag, value) of one LONG each."""
    offsets, data = [], b""
    for block in blocks:
        offsets.append(8 + len(data))
        data += block
    values = {256: [W], 257: [H], 258: [bits] * 3, 259: [1], 262: [2], 277: [3], **{t: [v] for t, v in tags}}
    values |= {(324 if 322 in values else 273): offsets, (325 if 322 in values else 279): [len(b) for b in blocks]}
    directory, at = struct.pack("<H", len(values)), 8 + len(data)
    extra = at + 2 + 12 * len(values) + 4
    more = b""
    for tag in sorted(values):
        v = struct.pack(f"<{len(values[tag])}I", *values[tag])
        directory += struct.pack("<HHI", tag, 4, len(values[tag])) + (v if len(v) == 4 else struct.pack("<I", extra + len(more)))
        more += v if len(v) > 4 else b""
    return b"II*\0" + struct.pack("<I", at) + data + directory + struct.pack("<I", 0) + more


padded = np.zeros((32, 32, 3), np.uint8)
padded[:H, :W] = picture()
tiles = [padded[y : y + 16, x : x + 16].tobytes() for y in (0, 16) for x in (0, 16)]
write("tiles.tif", tiff(8, tiles, (322, 16), (323, 16)))
deep = (picture().astype("<u2") * 256 + 77).tobytes()
write("16-bits.tif", tiff(16, [deep], (278, H)))
alpha = saved(RGBA, "TIFF")
extra = alpha.index(struct.pack("<HHI", 338, 3, 1))
write("alpha-multiplied.tif", patched(alpha, extra + 8, 1))
for name, img, options in [("jpeg", RGB, {"compression": "jpeg"}), ("zstd", RGB, {"compression": "zstd"}), ("cmyk", ink, {}),
                           ("ycbcr", RGB.convert("YCbCr"), {}), ("float", Image.fromarray(picture()[..., 0].astype(np.float32)), {}),
                           ("grey-alpha", RGBA.convert("LA"), {}), ("big", RGB, {"big_tiff": True})]:
    write(f"{name}.tif", saved(img, "TIFF", **options), "refused")
write("animated.gif", saved(RGB.quantize(16), "GIF", save_all=True, append_images=[dark.quantize(2)]), "refused")
write("photograph.avif", saved(RGB, "AVIF", quality=30), "refused")
